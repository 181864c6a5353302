package anyclaude

// #include <anyclaude.h>
import "C"

import (
	"encoding/json"
)

// ToolConfig says how the text of an answer is looked through: for one format, or for those of a model.
type ToolConfig struct {
	Format string `json:"format,omitempty"`
	Model  string `json:"model,omitempty"`
	// Tools are those of the request, as the Messages API has them.
	Tools any `json:"tools,omitempty"`
}

// Answer is what a model has written, taken apart.
type Answer struct {
	Text     string
	Thinking *string
	Calls    []Call
}

// Call is a call of a tool.
type Call struct {
	ID    string
	Name  string
	Input json.RawMessage
}

// ParseTools reads an answer that has all come.
func ParseTools(text string, config ToolConfig) (*Answer, error) {
	given, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	said, err := filled(func(out *C.anyclaude_buffer) error {
		var l loan
		defer l.end()
		var cause *C.anyclaude_error
		return failed(C.anyclaude_parse_tools(l.bytes(given), l.text(text), out, &cause), cause)
	})
	if err != nil {
		return nil, err
	}
	answer := new(Answer)
	return answer, json.Unmarshal(said, answer)
}
