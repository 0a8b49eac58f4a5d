// Records what Go's text/template makes of the texts in cases.txt, one JSON object a line.
//
// Run in this folder: go run record.go < cases.txt > recorded.jsonl
// A case is one line; \n in it stands for a newline, and \\ for a backslash.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/template"
)

var data = map[string]any{
	"S": "text", "Empty": "", "I": 42, "Zero": 0, "F": 1.5, "T": true, "False": false, "Nil": nil,
	"L": []any{"a", 2, nil, 2.5}, "E": []any{}, "LL": []any{[]any{1, 2}, []any{}},
	"M": map[string]any{"b": 1, "a": "x", "c": nil}, "D": map[string]any{"E": map[string]any{"F": "deep"}},
	"U": "héllo→", "H": "<a href=\"x\">'&'</a>",
}

var functions = template.FuncMap{
	"upper": strings.ToUpper,
	"split": func(s, sep string, i int) (string, error) {
		parts := strings.Split(s, sep)
		if i < 0 || i >= len(parts) {
			return "", errors.New("no such part")
		}
		return parts[i], nil
	},
	"fail": func() (string, error) { return "", errors.New("boom") },
	"many": func(s ...string) string { return strings.Join(s, ",") },
	"rest": func(n int, s ...string) string { return fmt.Sprint(n, strings.Join(s, ",")) },
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := strings.NewReplacer(`\\`, `\`, `\n`, "\n").Replace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		record := map[string]string{"text": text}
		var out bytes.Buffer
		t, err := template.New("root").Funcs(functions).Parse(text)
		if err == nil {
			err = t.Execute(&out, data)
		}
		if err != nil {
			record["error"] = err.Error()
		} else {
			record["output"] = out.String()
		}
		line := &bytes.Buffer{}
		encoder := json.NewEncoder(line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(record); err != nil {
			panic(err)
		}
		os.Stdout.Write(line.Bytes())
	}
}
