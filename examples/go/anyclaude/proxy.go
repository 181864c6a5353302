package anyclaude

// #include "log.h"
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"math"
	"runtime/cgo"
	"time"
	"unsafe"
)

// patience is how long a wait for an event goes on after its context has ended, at the most: it is a call into C, which
// nothing but an event or the stop wakes.
const patience = 100 * time.Millisecond

// Proxy serves the Messages API on a port of its own. Any number of goroutines may use one.
type Proxy struct {
	*object
	url string
}

// Config are settings of the proxy by their names in the README, such as "backend", "backend_url" and "port".
type Config map[string]any

// Event is something that happened to a request.
type Event struct {
	// Type is request_started, first_token, tool_call, done, error, cancelled, or missed.
	Type      string `json:"type"`
	RequestID string `json:"request_id"`
	// JSON is all that is told.
	JSON json.RawMessage `json:"-"`
}

// Stats are counters since the start.
type Stats struct {
	Requests     int `json:"requests"`
	Errors       int `json:"errors"`
	Cancelled    int `json:"cancelled"`
	Active       int `json:"active"`
	InputTokens  int `json:"input_tokens"`
	OutputTokens int `json:"output_tokens"`
}

// Start starts the proxy; it listens when Start returns. Its log goes to logger, which may be nil.
func Start(config Config, logger *slog.Logger) (*Proxy, error) {
	given := []byte("{}")
	if config != nil {
		var err error
		if given, err = json.Marshal(config); err != nil {
			return nil, err
		}
	}
	var l loan
	defer l.end()
	var made *C.anyclaude_proxy
	var cause *C.anyclaude_error
	var status C.anyclaude_status
	if logger == nil {
		status = C.anyclaude_proxy_start(l.bytes(given), nil, &made, &cause)
	} else {
		// Given back by anyclaudeGoForget, which C calls whatever becomes of the start.
		status = C.anyclaude_go_start(l.bytes(given), l.text(lowest(logger)), C.uintptr_t(cgo.NewHandle(logger)), &made, &cause)
	}
	if err := failed(status, cause); err != nil {
		return nil, err
	}
	free := func(p unsafe.Pointer) { C.anyclaude_proxy_free((*C.anyclaude_proxy)(p)) }
	return &Proxy{own(unsafe.Pointer(made), free), string(copied(C.anyclaude_proxy_url(made)))}, nil
}

// URL is what clients set as ANTHROPIC_BASE_URL.
func (p *Proxy) URL() string { return p.url }

// Stats tells what the proxy has done.
func (p *Proxy) Stats() (Stats, error) {
	var stats Stats
	told, err := p.tell(func(proxy *C.anyclaude_proxy, out *C.anyclaude_buffer, cause **C.anyclaude_error) C.anyclaude_status {
		return C.anyclaude_proxy_stats(proxy, out, cause)
	})
	if err != nil {
		return stats, err
	}
	return stats, json.Unmarshal(told, &stats)
}

// SetBackend sends requests to another backend from now on.
func (p *Proxy) SetBackend(choice Config) error {
	given, err := json.Marshal(choice)
	if err != nil {
		return err
	}
	return p.use(func(proxy unsafe.Pointer) error {
		var l loan
		defer l.end()
		var cause *C.anyclaude_error
		return failed(C.anyclaude_proxy_set_backend((*C.anyclaude_proxy)(proxy), l.bytes(given), &cause), cause)
	})
}

// NextEvent waits for the next event. Each goes to one caller. After the stop it gives ErrStopped.
func (p *Proxy) NextEvent(ctx context.Context) (Event, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Event{}, err
		}
		told, err := p.tell(func(proxy *C.anyclaude_proxy, out *C.anyclaude_buffer, cause **C.anyclaude_error) C.anyclaude_status {
			return C.anyclaude_proxy_next_event(proxy, C.uint32_t(patience.Milliseconds()), out, cause)
		})
		if errors.Is(err, ErrTimeout) {
			continue
		}
		if err != nil {
			return Event{}, err
		}
		event := Event{JSON: told}
		return event, json.Unmarshal(told, &event)
	}
}

// Events gives the events until the proxy stops or ctx is done; then the context's error is the last.
func (p *Proxy) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			event, err := p.NextEvent(ctx)
			if errors.Is(err, ErrStopped) || errors.Is(err, ErrClosed) {
				return
			}
			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// Stop takes no more requests, waits up to grace for those in flight, then breaks them off. It returns when the proxy's
// threads have ended, or two seconds later if one looks up a name or reads a large document; counters and events can
// still be read.
func (p *Proxy) Stop(grace time.Duration) error {
	milliseconds := min(max(grace.Milliseconds(), 0), math.MaxUint32)
	return p.use(func(proxy unsafe.Pointer) error {
		var cause *C.anyclaude_error
		return failed(C.anyclaude_proxy_stop((*C.anyclaude_proxy)(proxy), C.uint32_t(milliseconds), &cause), cause)
	})
}

// Close stops the proxy, without any grace, and frees it. Only in the proxy's own log it is refused, with ErrWouldDeadlock.
func (p *Proxy) Close() error {
	// First, since it wakes those who wait for events: the proxy is freed when no call uses it.
	err := p.Stop(0)
	switch {
	case errors.Is(err, ErrWouldDeadlock):
		return err // freeing it here would wait for this call
	case errors.Is(err, ErrClosed):
		err = nil
	}
	// Whatever else has failed, as after a defect: being freed stops it, too.
	return errors.Join(err, p.object.Close())
}

func (p *Proxy) tell(call func(*C.anyclaude_proxy, *C.anyclaude_buffer, **C.anyclaude_error) C.anyclaude_status) ([]byte, error) {
	return filled(func(out *C.anyclaude_buffer) error {
		return p.use(func(proxy unsafe.Pointer) error {
			var cause *C.anyclaude_error
			return failed(call((*C.anyclaude_proxy)(proxy), out, &cause), cause)
		})
	})
}

// lowest is the level from which on a logger takes records, in the library's words.
func lowest(logger *slog.Logger) string {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		if logger.Enabled(context.Background(), level) {
			return map[slog.Level]string{slog.LevelDebug: "debug", slog.LevelInfo: "info", slog.LevelWarn: "warn"}[level]
		}
	}
	return "error"
}
