module github.com/anyclaude/anyclaude/examples/go

go 1.24
