// Package anyclaude lets clients of the Anthropic Messages API use any local model server: it translates requests,
// converts streams, reads tool calls and runs the proxy, all in the process.
//
// Every object has a Close. One that is forgotten is freed when the garbage collector finds it.
package anyclaude

/*
#cgo pkg-config: anyclaude
#include <anyclaude.h>
*/
import "C"

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"
)

// ErrClosed is what a closed object answers.
var ErrClosed = errors.New("anyclaude: closed")

// These are what errors.Is compares by Kind.
var (
	// ErrStopped is for what needs a proxy that runs.
	ErrStopped = &Error{Kind: "stopped"}
	// ErrTimeout is for what has not come in its time.
	ErrTimeout = &Error{Kind: "timeout"}
	// ErrWouldDeadlock is for calls in the log of a proxy that would wait for it.
	ErrWouldDeadlock = &Error{Kind: "would_deadlock"}
)

// Error is a failure of the library.
type Error struct {
	// Code is the status of the C interface.
	Code int
	// Kind is a word such as "config", "invalid_request" or "backend".
	Kind string
	// Status is the HTTP status with which a server of the Messages API answers.
	Status int
	// Message is for people.
	Message string
	// Body is the JSON that belongs to Status.
	Body []byte
}

func (e *Error) Error() string { return fmt.Sprintf("anyclaude: %s", e.Message) }

// Is tells whether the target is of the same kind.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Kind == e.Kind
}

// Version is that of the library that is loaded.
func Version() string { return C.GoString(C.anyclaude_version()) }

func init() {
	if C.anyclaude_abi_version() != C.ANYCLAUDE_ABI_VERSION {
		panic("anyclaude: the library that is loaded has another binary interface than its header")
	}
}

// failed makes an error of a status, and frees the one from C.
func failed(status C.anyclaude_status, cause *C.anyclaude_error) error {
	if status == C.ANYCLAUDE_OK {
		return nil
	}
	defer C.anyclaude_error_free(cause)
	return &Error{
		Code:    int(status),
		Kind:    string(copied(C.anyclaude_error_kind(cause))),
		Status:  int(C.anyclaude_error_http_status(cause)),
		Message: string(copied(C.anyclaude_error_message(cause))),
		Body:    copied(C.anyclaude_error_json(cause)),
	}
}

// copied copies what C lends.
func copied(bytes C.anyclaude_bytes) []byte {
	if bytes.len == 0 {
		return nil
	}
	return append([]byte(nil), unsafe.Slice((*byte)(bytes.ptr), int(bytes.len))...)
}

// loan lends Go's memory to C during one call.
type loan struct{ pins runtime.Pinner }

func (l *loan) bytes(data []byte) C.anyclaude_bytes {
	if len(data) == 0 {
		return C.anyclaude_bytes{}
	}
	l.pins.Pin(&data[0])
	return C.anyclaude_bytes{ptr: (*C.uint8_t)(&data[0]), len: C.size_t(len(data))}
}

func (l *loan) text(text string) C.anyclaude_bytes { return l.bytes([]byte(text)) }

func (l *loan) end() { l.pins.Unpin() }

// object is something of C's: freed once, and never while a call uses it.
type object struct {
	mutex   sync.RWMutex
	pointer unsafe.Pointer
	free    func(unsafe.Pointer)
	cleanup runtime.Cleanup
}

func own(pointer unsafe.Pointer, free func(unsafe.Pointer)) *object {
	o := &object{pointer: pointer, free: free}
	// For objects that nobody closes.
	o.cleanup = runtime.AddCleanup(o, free, pointer)
	return o
}

func (o *object) use(call func(unsafe.Pointer) error) error {
	o.mutex.RLock()
	defer o.mutex.RUnlock()
	if o.pointer == nil {
		return ErrClosed
	}
	defer runtime.KeepAlive(o)
	return call(o.pointer)
}

func (o *object) Close() error {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.pointer != nil {
		o.cleanup.Stop()
		o.free(o.pointer)
		o.pointer = nil
	}
	return nil
}

// filled gives what a call appends to a buffer.
func filled(call func(out *C.anyclaude_buffer) error) ([]byte, error) {
	out := C.anyclaude_buffer_new()
	defer C.anyclaude_buffer_free(out)
	if err := call(out); err != nil {
		return nil, err
	}
	return copied(C.anyclaude_buffer_bytes(out)), nil
}

// asJSON takes what users give for JSON: bytes and texts as they are, anything else through encoding/json.
func asJSON(value any) ([]byte, error) {
	switch value := value.(type) {
	case nil:
		return nil, nil
	case []byte:
		return value, nil
	case string:
		return []byte(value), nil
	default:
		return json.Marshal(value)
	}
}
