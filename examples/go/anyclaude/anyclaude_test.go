package anyclaude

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

const request = `{"model":"claude-x","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`

const stream = `data: {"choices":[{"delta":{"content":"Hello, Göteborg"}}]}

data: {"choices":[{"delta":{},"finish_reason":"stop"}]}

data: [DONE]

`

// must fails the test on an error.
func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func converter(t *testing.T) *Stream {
	about := must[*Request](t)(RequestFor("claude-x", "mlx-lm"))
	defer about.Close()
	made := must[*Stream](t)(NewStream(about))
	t.Cleanup(func() { made.Close() })
	return made
}

func TestRequestsThereAndBack(t *testing.T) {
	translator := must[*Translator](t)(NewTranslator(TranslatorConfig{Backend: "vllm", MaxOutputTokens: 5}))
	defer translator.Close()
	meta := Meta{Session: "s", Models: []Model{{Name: "qwen3", Window: 4096}}}
	translated := must[*Request](t)(translator.Request(request, meta))
	defer translated.Close()
	if !bytes.HasPrefix(translated.Body, []byte(`{"model":"qwen3"`)) || !translated.Stream || len(translated.Notes) != 1 {
		t.Errorf("%s %v %q", translated.Body, translated.Stream, translated.Notes)
	}
	answer := []byte(`{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}`)
	message := must[[]byte](t)(translator.Response(translated, answer))
	if !bytes.Contains(message, []byte(`"text":"Hello"`)) {
		t.Errorf("%s", message)
	}
	if tokens := must[int](t)(translator.CountTokens(request)); tokens < 1 || tokens > 100 {
		t.Errorf("%d tokens", tokens)
	}
	converter := must[*Stream](t)(NewStream(translated))
	defer converter.Close()
	must[[]byte](t)(io.ReadAll(converter.Reader(strings.NewReader(stream))))
	if err := translator.Record(converter); err != nil {
		t.Error(err)
	}
}

func TestErrorsSayWhatAndWhere(t *testing.T) {
	_, err := NewTranslator(TranslatorConfig{Backend: "nowhere"})
	var told *Error
	if !errors.As(err, &told) || told.Kind != "config" || !strings.Contains(told.Message, "nowhere") {
		t.Errorf("%#v", err)
	}
	translator := must[*Translator](t)(NewTranslator(TranslatorConfig{}))
	defer translator.Close()
	_, err = translator.Request(map[string]any{"model": 7}, Meta{})
	if !errors.As(err, &told) || told.Kind != "invalid_request" || told.Status != http.StatusBadRequest ||
		!bytes.Contains(told.Body, []byte("invalid_request_error")) {
		t.Errorf("%#v", err)
	}
}

func TestStreamsHoweverTheyAreCut(t *testing.T) {
	whole := must[[]byte](t)(io.ReadAll(converter(t).Reader(strings.NewReader(stream))))
	if !bytes.Contains(whole, []byte("Göteborg")) || !bytes.HasSuffix(whole, []byte("{\"type\":\"message_stop\"}\n\n")) {
		t.Fatalf("%s", whole)
	}
	for name, source := range map[string]io.Reader{
		"byte by byte": iotest.OneByteReader(strings.NewReader(stream)),
		"with the end": iotest.DataErrReader(strings.NewReader(stream)),
	} {
		if got := must[[]byte](t)(io.ReadAll(converter(t).Reader(source))); !bytes.Equal(joined(got), joined(whole)) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// joined forgets how the events were written.
func joined(events []byte) []byte { return bytes.ReplaceAll(events, []byte("\n\n"), []byte("\n")) }

func TestAStreamThatBreaks(t *testing.T) {
	broken := errors.New("the cable was cut")
	source := io.MultiReader(strings.NewReader(stream[:30]), iotest.ErrReader(broken))
	events, err := io.ReadAll(converter(t).Reader(source))
	if !errors.Is(err, broken) || !bytes.Contains(events, []byte("event: error")) || !bytes.Contains(events, []byte("cable")) {
		t.Errorf("%v: %s", err, events)
	}
}

func TestCopyStopsWithItsContext(t *testing.T) {
	source, server := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	seen := make(chan struct{})
	first := sync.OnceFunc(func() { close(seen) })
	target := writer(func(data []byte) (int, error) { first(); return len(data), nil })
	copied := make(chan error)
	go func() { copied <- converter(t).Copy(ctx, target, source) }()
	if _, err := server.Write([]byte(stream[:60])); err != nil {
		t.Fatal(err)
	}
	<-seen // in the middle of the answer
	cancel()
	if err := <-copied; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// The server sees it.
	if _, err := server.Write([]byte("more")); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(data []byte) (int, error) { return w(data) }

func TestPings(t *testing.T) {
	converter := converter(t)
	ping := must[[]byte](t)(converter.Tick()) // the server has said nothing yet
	if !bytes.HasPrefix(ping, []byte("event: message_start\n")) || !bytes.Contains(ping, []byte("event: ping\n")) {
		t.Errorf("%s", ping)
	}
	done := strings.LastIndex(stream, "data: [DONE]")
	must[[]byte](t)(converter.Push([]byte(stream[:done])))
	if converter.Ended() {
		t.Error("ended before its end")
	}
	// Nothing but the close is missing.
	if last := must[[]byte](t)(converter.Tick()); !bytes.Contains(last, []byte("event: message_stop\n")) || !converter.Ended() {
		t.Errorf("%v %s", converter.Ended(), last)
	}
}

// A second goroutine in a stream is refused, and both may look whether it has ended.
func TestOneGoroutineAtATime(t *testing.T) {
	converter := converter(t)
	var all sync.WaitGroup
	for range 4 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 100 {
				var told *Error
				if _, err := converter.Push([]byte(stream)); err != nil && (!errors.As(err, &told) || told.Kind != "busy") {
					t.Error(err)
				}
				converter.Ended()
			}
		}()
	}
	all.Wait()
	if !converter.Ended() {
		t.Error("not ended")
	}
}

func TestToolCallsInText(t *testing.T) {
	text := "I look.\n<tool_call>\n{\"name\": \"find_ferry\", \"arguments\": {\"cars\": 2}}\n</tool_call>"
	tools := []map[string]any{{"name": "find_ferry"}}
	answer := must[*Answer](t)(ParseTools(text, ToolConfig{Format: "hermes", Tools: tools}))
	if answer.Text != "I look.\n" && answer.Text != "I look." || len(answer.Calls) != 1 || string(answer.Calls[0].Input) != `{"cars":2}` {
		t.Errorf("%+v", answer)
	}
}

func TestWhatIsClosedIsClosed(t *testing.T) {
	translator := must[*Translator](t)(NewTranslator(TranslatorConfig{}))
	translator.Close()
	translator.Close()
	if _, err := translator.Request(request, Meta{}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// Objects that nobody closes are freed by the garbage collector, and are used by others until then.
func TestManyGoroutines(t *testing.T) {
	translator := must[*Translator](t)(NewTranslator(TranslatorConfig{}))
	var all sync.WaitGroup
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 50 {
				translated, err := translator.Request(request, Meta{})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := NewStream(translated); err != nil {
					t.Error(err)
				}
			}
			runtime.GC()
		}()
	}
	all.Wait()
	translator.Close()
}

func TestTheProxy(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	proxy := must[*Proxy](t)(Start(Config{"backend": "demo"}, logger))
	events := make(chan string, 100)
	go func() {
		defer close(events)
		for event, err := range proxy.Events(context.Background()) {
			if err != nil {
				t.Error(err)
			}
			events <- event.Type
		}
	}()
	response, err := http.Post(proxy.URL()+"/v1/messages", "application/json", strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	answer := must[[]byte](t)(io.ReadAll(response.Body))
	response.Body.Close()
	if !bytes.Contains(answer, []byte("event: message_stop")) {
		t.Errorf("%s", answer)
	}
	if err := proxy.SetBackend(Config{"backend": "nowhere"}); err == nil {
		t.Error("a backend that nobody knows was taken")
	}
	if err := proxy.SetBackend(Config{"backend": "demo"}); err != nil {
		t.Error(err)
	}
	if err := proxy.Stop(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	var told []string
	for kind := range events {
		told = append(told, kind)
	}
	if len(told) < 3 || told[0] != "request_started" || told[len(told)-1] != "done" {
		t.Errorf("%q", told)
	}
	if stats := must[Stats](t)(proxy.Stats()); stats.Requests != 1 {
		t.Errorf("%+v", stats)
	}
	if err := proxy.Close(); err != nil {
		t.Error(err)
	}
	// Written by other threads, and closed with the proxy.
	if !strings.Contains(log.String(), "level=") {
		t.Errorf("no log: %q", log.String())
	}
}

// A logger that calls the proxy back, on a thread of the proxy.
type meddler struct {
	proxy  atomic.Pointer[Proxy]
	errors chan error
}

func (m *meddler) Enabled(context.Context, slog.Level) bool { return true }
func (m *meddler) WithAttrs([]slog.Attr) slog.Handler       { return m }
func (m *meddler) WithGroup(string) slog.Handler            { return m }

func (m *meddler) Handle(context.Context, slog.Record) error {
	if proxy := m.proxy.Swap(nil); proxy != nil {
		_, err := proxy.NextEvent(context.Background())
		m.errors <- err
		m.errors <- proxy.SetBackend(Config{"backend": "demo"})
		m.errors <- proxy.Close()
	}
	return nil
}

func TestTheLogCannotStopItsProxy(t *testing.T) {
	handler := &meddler{errors: make(chan error, 3)}
	proxy := must[*Proxy](t)(Start(Config{"backend": "demo"}, slog.New(handler)))
	handler.proxy.Store(proxy)
	response, err := http.Post(proxy.URL()+"/v1/messages", "application/json", strings.NewReader(`{"model":7}`))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	for range 3 {
		if err := <-handler.errors; !errors.Is(err, ErrWouldDeadlock) {
			t.Error(err)
		}
	}
	// Nothing is broken by it, and closed it is closed.
	if err := proxy.SetBackend(Config{"backend": "demo"}); err != nil {
		t.Error(err)
	}
	if err := proxy.Close(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(proxy.URL()); err == nil {
		t.Error("the port still answers")
	}
}

func TestEventsEndWithTheirContext(t *testing.T) {
	proxy := must[*Proxy](t)(Start(Config{"backend": "demo"}, nil))
	defer proxy.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range proxy.Events(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

func TestAStartThatFails(t *testing.T) {
	if _, err := Start(Config{"bakcend": "demo"}, slog.Default()); err == nil || !strings.Contains(err.Error(), "backend") {
		t.Error(err)
	}
}
