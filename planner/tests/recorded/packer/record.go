// Records what Packer's own interpolation makes of the cases in cases.jsonl, one JSON object a line.
//
// It needs the module github.com/hashicorp/packer-plugin-sdk (recorded with v0.6.10, the version of Packer 1.16.0):
// go run record.go < cases.jsonl > recorded.jsonl
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/template/interpolate"
)

type in struct {
	Text  string            `json:"text"`
	Phase string            `json:"phase"`
	Data  map[string]string `json:"data"`
}

func main() {
	interpolate.InitTime = time.Date(2026, 11, 3, 2, 7, 3, 863059170, time.UTC)
	os.Setenv("RPK_E", "envval")
	sc := bufio.NewScanner(os.Stdin)
	for sc.Scan() {
		var c in
		if err := json.Unmarshal(sc.Bytes(), &c); err != nil {
			panic(err)
		}
		ctx := interpolate.NewContext()
		ctx.UserVariables = map[string]string{"a": "alpha", "n": "", "t": "{{.Name}}", "m": "{{user `a`}}"}
		ctx.CorePackerVersionString = "1.16.0"
		ctx.TemplatePath = "/t/x.json"
		switch c.Phase {
		case "V":
			ctx.EnableEnv = true
		case "P", "D":
			ctx.BuildName = "bn"
			ctx.BuildType = "bt"
		}
		if c.Data != nil {
			ctx.Data = c.Data
		}
		var out string
		var err error
		if c.Phase == "D" || c.Phase == "N" || c.Phase == "C" {
			out, err = interpolate.Render(c.Text, ctx)
		} else {
			out, err = interpolate.RenderOnce(c.Text, ctx)
		}
		record := map[string]any{"text": c.Text, "phase": c.Phase}
		if c.Data != nil {
			record["data"] = c.Data
		}
		if err != nil {
			record["error"] = err.Error()
		} else {
			record["output"] = out
		}
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(record); err != nil {
			panic(err)
		}
	}
}
