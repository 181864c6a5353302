package anyclaude

// #include <anyclaude.h>
import "C"

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"unsafe"
)

// Stream turns the event stream of a server into that of the Messages API: the answer to one request. One goroutine at a
// time may use it; another is refused with an Error of kind "busy".
type Stream struct {
	*object
	ended atomic.Bool
}

// NewStream makes the converter of the answer to a request, which may be closed before it.
func NewStream(request *Request) (*Stream, error) {
	var made *C.anyclaude_stream
	err := request.use(func(r unsafe.Pointer) error {
		var cause *C.anyclaude_error
		return failed(C.anyclaude_stream_new((*C.anyclaude_translated)(r), &made, &cause), cause)
	})
	if err != nil {
		return nil, err
	}
	free := func(p unsafe.Pointer) { C.anyclaude_stream_free((*C.anyclaude_stream)(p)) }
	return &Stream{object: own(unsafe.Pointer(made), free)}, nil
}

// Push takes the next bytes of the server's stream, cut anywhere, and gives the events for the client.
func (s *Stream) Push(data []byte) ([]byte, error) {
	return s.convert(func(p *C.anyclaude_stream, out *C.anyclaude_buffer, cause **C.anyclaude_error) C.anyclaude_status {
		var l loan
		defer l.end()
		var progress C.anyclaude_progress
		status := C.anyclaude_stream_push(p, l.bytes(data), out, &progress, cause)
		s.reached(status, progress)
		return status
	})
}

// Tick gives a ping: for when the client has been sent nothing for some seconds, also before the first Push. Where the
// server's answer is complete and only the end of its stream has not come, it gives the client's end.
func (s *Stream) Tick() ([]byte, error) {
	return s.convert(func(p *C.anyclaude_stream, out *C.anyclaude_buffer, cause **C.anyclaude_error) C.anyclaude_status {
		var progress C.anyclaude_progress
		status := C.anyclaude_stream_tick(p, out, &progress, cause)
		s.reached(status, progress)
		return status
	})
}

// Ended tells whether the last event has been given; the rest of the server's stream is of no interest.
func (s *Stream) Ended() bool { return s.ended.Load() }

// reached takes the progress of a call. Calls share a lock that is for freeing only, so that it is atomic.
func (s *Stream) reached(status C.anyclaude_status, progress C.anyclaude_progress) {
	if status == C.ANYCLAUDE_OK && progress == C.ANYCLAUDE_PROGRESS_ENDED {
		s.ended.Store(true)
	}
}

// Fail ends the client's stream because the server's has broken.
func (s *Stream) Fail(status int, message string) ([]byte, error) {
	return s.convert(func(p *C.anyclaude_stream, out *C.anyclaude_buffer, cause **C.anyclaude_error) C.anyclaude_status {
		var l loan
		defer l.end()
		ended := C.anyclaude_stream_fail(p, C.uint16_t(status), l.text(message), out, cause)
		s.reached(ended, C.ANYCLAUDE_PROGRESS_ENDED)
		return ended
	})
}

// Finish ends the client's stream because the server's has ended.
func (s *Stream) Finish() ([]byte, error) {
	return s.convert(func(p *C.anyclaude_stream, out *C.anyclaude_buffer, cause **C.anyclaude_error) C.anyclaude_status {
		ended := C.anyclaude_stream_finish(p, out, cause)
		s.reached(ended, C.ANYCLAUDE_PROGRESS_ENDED)
		return ended
	})
}

func (s *Stream) convert(call func(*C.anyclaude_stream, *C.anyclaude_buffer, **C.anyclaude_error) C.anyclaude_status) ([]byte, error) {
	return filled(func(out *C.anyclaude_buffer) error {
		return s.use(func(p unsafe.Pointer) error {
			var cause *C.anyclaude_error
			return failed(call((*C.anyclaude_stream)(p), out, &cause), cause)
		})
	})
}

// Reader gives the events for the client as the server's bytes come out of source. If source fails, the client's stream
// ends with an error event, and the reader with the failure of source.
func (s *Stream) Reader(source io.Reader) io.Reader {
	return &reader{stream: s, source: source, piece: make([]byte, 32<<10)}
}

type reader struct {
	stream *Stream
	source io.Reader
	piece  []byte
	ready  []byte
	end    error
}

func (r *reader) Read(into []byte) (int, error) {
	for len(r.ready) == 0 {
		if r.end != nil {
			return 0, r.end
		}
		r.ready, r.end = r.next()
	}
	count := copy(into, r.ready)
	r.ready = r.ready[count:]
	return count, nil
}

// next reads from the source once; its error is for when the events have been given.
func (r *reader) next() ([]byte, error) {
	count, failure := r.source.Read(r.piece)
	events, err := r.stream.Push(r.piece[:count])
	switch {
	case err != nil:
		return nil, err
	case failure == nil && !r.stream.Ended():
		return events, nil
	case failure == nil:
		failure = io.EOF // what follows the end is of no interest
	}
	var last []byte
	if errors.Is(failure, io.EOF) {
		last, err = r.stream.Finish()
	} else {
		last, err = r.stream.Fail(502, "the server's stream broke: "+failure.Error())
	}
	if err != nil {
		return nil, err
	}
	return append(events, last...), failure
}

// Copy converts all of source into target, each piece as soon as it is there; a target with a Flush, as an
// http.ResponseWriter, is flushed. When ctx is done, source is closed, which ends the server's work on the answer, and
// Copy returns the context's error.
func (s *Stream) Copy(ctx context.Context, target io.Writer, source io.ReadCloser) error {
	stop := context.AfterFunc(ctx, func() { _ = source.Close() })
	defer stop()
	events := s.Reader(source)
	piece := make([]byte, 32<<10)
	for {
		count, err := events.Read(piece)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if count > 0 {
			if _, err := target.Write(piece[:count]); err != nil {
				return err
			}
			if flusher, ok := target.(interface{ Flush() }); ok {
				flusher.Flush()
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
