package anyclaude

// #include <anyclaude.h>
import "C"

import (
	"context"
	"encoding/json"
	"log/slog"
	"runtime/cgo"
	"unsafe"
)

var levels = map[string]slog.Level{"error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo}

// anyclaudeGoRecord is called on threads of the proxy, one record at a time.
//
//export anyclaudeGoRecord
func anyclaudeGoRecord(userdata unsafe.Pointer, record C.anyclaude_bytes) {
	logger := cgo.Handle(uintptr(userdata)).Value().(*slog.Logger)
	var told struct {
		Level, Message string
		RequestID      *string `json:"request_id"`
		Fields         map[string]any
	}
	if json.Unmarshal(copied(record), &told) != nil {
		return
	}
	level, known := levels[told.Level]
	if !known {
		level = slog.LevelDebug
	}
	var attributes []any
	if told.RequestID != nil {
		attributes = append(attributes, "request_id", *told.RequestID)
	}
	for name, value := range told.Fields {
		attributes = append(attributes, name, value)
	}
	logger.Log(context.Background(), level, told.Message, attributes...)
}

//export anyclaudeGoForget
func anyclaudeGoForget(userdata unsafe.Pointer) { cgo.Handle(uintptr(userdata)).Delete() }
