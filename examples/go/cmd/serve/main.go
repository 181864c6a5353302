// Serve starts the proxy and serves one request through it: the answer streams to standard output, what the proxy tells
// of it to standard error.
//
//	serve [-backend KIND] [-url URL] [PROMPT]
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/anyclaude/anyclaude/examples/go/anyclaude"
)

func main() {
	backend := flag.String("backend", "demo", "the kind of server")
	url := flag.String("url", "", "where it is; by default where its kind usually listens")
	flag.Parse()
	prompt := strings.Join(flag.Args(), " ")
	if prompt == "" {
		prompt = "Say hello"
	}
	config := anyclaude.Config{"backend": *backend}
	if *url != "" {
		config["backend_url"] = *url
	}
	// Ctrl-C ends the request, and with it the model's work.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, config, prompt); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, config anyclaude.Config, prompt string) error {
	proxy, err := anyclaude.Start(config, slog.Default())
	if err != nil {
		return err
	}
	defer proxy.Close()
	fmt.Fprintln(os.Stderr, "ANTHROPIC_BASE_URL="+proxy.URL())

	var watching sync.WaitGroup
	watching.Add(1)
	go func() {
		defer watching.Done()
		for event, err := range proxy.Events(context.Background()) {
			if err != nil {
				return
			}
			fmt.Fprintf(os.Stderr, "%s\n", event.JSON)
		}
	}()
	defer watching.Wait()
	defer proxy.Stop(5 * time.Second)
	return ask(ctx, proxy.URL(), prompt)
}

// ask prints the answer as it comes.
func ask(ctx context.Context, url, prompt string) error {
	body, err := json.Marshal(map[string]any{"model": "claude-x", "max_tokens": 1000, "stream": true,
		"messages": []map[string]string{{"role": "user", "content": prompt}}})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/messages", bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, found := strings.CutPrefix(lines.Text(), "data: ")
		var event struct{ Delta struct{ Text string } }
		if found && json.Unmarshal([]byte(data), &event) == nil {
			fmt.Print(event.Delta.Text)
		}
	}
	fmt.Println()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the proxy answers %s", response.Status)
	}
	return lines.Err()
}
