package anyclaude

// #include <anyclaude.h>
import "C"

import (
	"encoding/json"
	"runtime"
	"unsafe"
)

// Translator translates requests for one kind of server, and whole answers back. Any number of goroutines may use one.
type Translator struct{ *object }

// TranslatorConfig is what a translator is made by. What is left out takes its default.
type TranslatorConfig struct {
	Backend         string   `json:"backend,omitempty"`
	Model           string   `json:"model,omitempty"`
	MaxOutputTokens int      `json:"max_output_tokens,omitempty"`
	BackendAPI      string   `json:"backend_api,omitempty"`
	Tools           string   `json:"tools,omitempty"`
	ToolFormat      string   `json:"tool_format,omitempty"`
	PinLines        []string `json:"pin_lines,omitempty"`
}

// Meta is what a request brings that is not in its body. All of it may be left out.
type Meta struct {
	Headers map[string]string `json:"headers,omitempty"`
	Session string            `json:"session,omitempty"`
	Agent   string            `json:"agent,omitempty"`
	Models  []Model           `json:"models,omitempty"`
}

// Model is one that the server says it has.
type Model struct {
	Name   string `json:"name"`
	Window int    `json:"window,omitempty"`
}

// Request is a translated request. It never changes; any number of goroutines may use one.
type Request struct {
	*object
	// Body is what the server is sent.
	Body []byte
	// Notes say what was dropped, renamed or clamped.
	Notes []string
	// Stream says whether the client wants an event stream.
	Stream bool
}

// NewTranslator makes a translator.
func NewTranslator(config TranslatorConfig) (*Translator, error) {
	given, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	var l loan
	defer l.end()
	var made *C.anyclaude_translator
	var cause *C.anyclaude_error
	if err := failed(C.anyclaude_translator_new(l.bytes(given), &made, &cause), cause); err != nil {
		return nil, err
	}
	free := func(p unsafe.Pointer) { C.anyclaude_translator_free((*C.anyclaude_translator)(p)) }
	return &Translator{own(unsafe.Pointer(made), free)}, nil
}

// Request translates the body of a POST /v1/messages: JSON as bytes or text, or anything that encoding/json writes.
func (t *Translator) Request(body any, meta Meta) (*Request, error) {
	given, err := asJSON(body)
	if err != nil {
		return nil, err
	}
	about, err := json.Marshal(meta)
	if err != nil {
		return nil, err
	}
	var made *C.anyclaude_translated
	err = t.use(func(p unsafe.Pointer) error {
		var l loan
		defer l.end()
		var cause *C.anyclaude_error
		return failed(C.anyclaude_translate_request((*C.anyclaude_translator)(p), l.bytes(given), l.bytes(about), &made, &cause), cause)
	})
	if err != nil {
		return nil, err
	}
	return newRequest(made)
}

// RequestFor stands for a request that something else has translated; the answer will carry this model's name.
func RequestFor(model, backend string) (*Request, error) {
	context, err := json.Marshal(map[string]string{"model": model, "backend": backend})
	if err != nil {
		return nil, err
	}
	var l loan
	defer l.end()
	var made *C.anyclaude_translated
	var cause *C.anyclaude_error
	if err := failed(C.anyclaude_translated_new(l.bytes(context), &made, &cause), cause); err != nil {
		return nil, err
	}
	return newRequest(made)
}

func newRequest(made *C.anyclaude_translated) (*Request, error) {
	free := func(p unsafe.Pointer) { C.anyclaude_translated_free((*C.anyclaude_translated)(p)) }
	request := &Request{object: own(unsafe.Pointer(made), free), Body: copied(C.anyclaude_translated_body(made))}
	if err := json.Unmarshal(copied(C.anyclaude_translated_notes(made)), &request.Notes); err != nil {
		return nil, err
	}
	var context struct{ Stream bool }
	if err := json.Unmarshal(copied(C.anyclaude_translated_context(made)), &context); err != nil {
		return nil, err
	}
	request.Stream = context.Stream
	runtime.KeepAlive(request)
	return request, nil
}

// Response translates a whole answer of the server into a message for the client, and remembers it.
func (t *Translator) Response(request *Request, answer []byte) ([]byte, error) {
	return filled(func(out *C.anyclaude_buffer) error {
		return t.use(func(p unsafe.Pointer) error {
			return request.use(func(r unsafe.Pointer) error {
				var l loan
				defer l.end()
				var cause *C.anyclaude_error
				return failed(C.anyclaude_translate_response((*C.anyclaude_translator)(p), (*C.anyclaude_translated)(r), l.bytes(answer), out, &cause), cause)
			})
		})
	})
}

// Record remembers what a finished stream has brought, so that the server's cache fits the next turn.
func (t *Translator) Record(stream *Stream) error {
	_, err := filled(func(out *C.anyclaude_buffer) error {
		return t.use(func(p unsafe.Pointer) error {
			return stream.use(func(s unsafe.Pointer) error {
				var cause *C.anyclaude_error
				return failed(C.anyclaude_translator_record((*C.anyclaude_translator)(p), (*C.anyclaude_stream)(s), 0, out, &cause), cause)
			})
		})
	})
	return err
}

// CountTokens estimates the prompt tokens of a request, without any inference.
func (t *Translator) CountTokens(body any) (int, error) {
	given, err := asJSON(body)
	if err != nil {
		return 0, err
	}
	var tokens C.uint64_t
	err = t.use(func(p unsafe.Pointer) error {
		var l loan
		defer l.end()
		var cause *C.anyclaude_error
		return failed(C.anyclaude_count_tokens((*C.anyclaude_translator)(p), l.bytes(given), C.anyclaude_bytes{}, &tokens, &cause), cause)
	})
	return int(tokens), err
}
