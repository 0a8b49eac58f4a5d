// Records what Packer's own functions answer to the calls in calls.jsonl: `go run record_calls.go < calls.jsonl`.
//
// It needs the modules github.com/hashicorp/packer (recorded with v1.9.4, the last one whose table of functions can be
// imported), github.com/hashicorp/go-cty-funcs and golang.org/x/text. The functions that Packer got later are made here
// of the same libraries. A row has the value, or says that the call fails; values are written with their types:
// ["?", type] is unknown, ["null", type] null, ["n", digits] a number, ["list", element, values...] a list.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/packer/hcl2template"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"golang.org/x/text/encoding/ianaindex"
)

type row struct {
	Call   string `json:"call"`
	Answer any    `json:"answer"`
	Fails  bool   `json:"fails,omitempty"`
}

func num(s string) cty.Value { return cty.MustParseNumberVal(s) }

func ty(t cty.Type) any {
	switch {
	case t == cty.DynamicPseudoType:
		return "dynamic"
	case t == cty.Bool:
		return "bool"
	case t == cty.Number:
		return "number"
	case t == cty.String:
		return "string"
	case t.IsListType():
		return []any{"list", ty(t.ElementType())}
	case t.IsSetType():
		return []any{"set", ty(t.ElementType())}
	case t.IsMapType():
		return []any{"map", ty(t.ElementType())}
	case t.IsTupleType():
		r := []any{"tuple"}
		for _, e := range t.TupleElementTypes() {
			r = append(r, ty(e))
		}
		return r
	case t.IsObjectType():
		m := map[string]any{}
		for k, e := range t.AttributeTypes() {
			m[k] = ty(e)
		}
		return []any{"object", m}
	}
	return "?" + t.FriendlyName()
}

func val(v cty.Value) any {
	v, _ = v.Unmark()
	if !v.IsKnown() {
		return []any{"?", ty(v.Type())}
	}
	t := v.Type()
	if v.IsNull() {
		return []any{"null", ty(t)}
	}
	switch {
	case t == cty.Bool:
		return v.True()
	case t == cty.Number:
		return []any{"n", v.AsBigFloat().Text('f', -1)}
	case t == cty.String:
		return v.AsString()
	case t.IsListType() || t.IsSetType() || t.IsTupleType():
		w := "tuple"
		r := []any{}
		if t.IsListType() {
			w = "list"
			r = append(r, w, ty(t.ElementType()))
		} else if t.IsSetType() {
			w = "set"
			r = append(r, w, ty(t.ElementType()))
		} else {
			r = append(r, w)
		}
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			r = append(r, val(e))
		}
		return r
	case t.IsMapType() || t.IsObjectType():
		m := map[string]any{}
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			m[k.AsString()] = val(e)
		}
		if t.IsMapType() {
			return []any{"map", ty(t.ElementType()), m}
		}
		return []any{"object", m}
	}
	return "??"
}

func sp(n string) function.Parameter { return function.Parameter{Name: n, Type: cty.String} }

func two(a, b string, ret cty.Type, f func(x, y string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{Params: []function.Parameter{sp(a), sp(b)}, Type: function.StaticReturnType(ret),
		Impl: func(v []cty.Value, _ cty.Type) (cty.Value, error) { return f(v[0].AsString(), v[1].AsString()) }})
}
func one(a string, ret cty.Type, f func(x string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{Params: []function.Parameter{sp(a)}, Type: function.StaticReturnType(ret),
		Impl: func(v []cty.Value, _ cty.Type) (cty.Value, error) { return f(v[0].AsString()) }})
}

func parts(t time.Time, last string) cty.Value {
	y, w := t.ISOWeek()
	n := func(i int) cty.Value { return cty.NumberIntVal(int64(i)) }
	m := map[string]cty.Value{"year": n(t.Year()), "year_day": n(t.YearDay()), "day": n(t.Day()), "month": n(int(t.Month())),
		"month_name": cty.StringVal(t.Month().String()), "weekday": n(int(t.Weekday())), "weekday_name": cty.StringVal(t.Weekday().String()),
		"hour": n(t.Hour()), "minute": n(t.Minute()), "second": n(t.Second()), "iso_year": n(y), "iso_week": n(w)}
	if last == "unix" {
		m["unix"] = cty.NumberIntVal(t.Unix())
	} else {
		m["rfc3339"] = cty.StringVal(t.Format(time.RFC3339))
	}
	return cty.ObjectVal(m)
}

func addMissing(fns map[string]function.Function) {
	fns["textencodebase64"] = two("string", "encoding", cty.String, func(x, y string) (cty.Value, error) {
		e, err := ianaindex.IANA.Encoding(y)
		if err != nil || e == nil {
			return cty.NilVal, errors.New("encoding")
		}
		b, err := e.NewEncoder().String(x)
		return cty.StringVal(base64.StdEncoding.EncodeToString([]byte(b))), err
	})
	fns["textdecodebase64"] = two("source", "encoding", cty.String, func(x, y string) (cty.Value, error) {
		e, err := ianaindex.IANA.Encoding(y)
		if err != nil || e == nil {
			return cty.NilVal, errors.New("encoding")
		}
		c, err := base64.StdEncoding.DecodeString(x)
		if err != nil {
			return cty.NilVal, err
		}
		b, err := e.NewDecoder().Bytes(c)
		if err == nil && bytes.ContainsRune(b, '\uFFFD') {
			err = errors.New("gap")
		}
		return cty.StringVal(string(b)), err
	})
	unixT := parts(time.Unix(0, 0).UTC(), "rfc3339").Type()
	rfcT := parts(time.Unix(0, 0).UTC(), "unix").Type()
	fns["rfc3339_parse"] = one("timestamp", rfcT, func(x string) (cty.Value, error) {
		t, err := time.Parse(time.RFC3339Nano, x)
		if err != nil {
			t, err = time.Parse("2006-01-02 15:04:05.999999999Z07:00", x)
		}
		if err != nil {
			return cty.NilVal, err
		}
		return parts(t, "unix"), nil
	})
	fns["unix_timestamp_parse"] = function.New(&function.Spec{Params: []function.Parameter{{Name: "unix_timestamp", Type: cty.Number}}, Type: function.StaticReturnType(unixT),
		Impl: func(v []cty.Value, _ cty.Type) (cty.Value, error) {
			i, acc := v[0].AsBigFloat().Int64()
			if acc != 0 || !v[0].AsBigFloat().IsInt() {
				return cty.NilVal, errors.New("whole")
			}
			return parts(time.Unix(i, 0).UTC(), "rfc3339"), nil
		}})
}

func main() {
	functions := hcl2template.Functions(".")
	addMissing(functions)
	s := cty.StringVal
	n := func(i int64) cty.Value { return num(fmt.Sprint(i)) }
	vars := map[string]cty.Value{
		"s": s("abc"), "sn": s("12.5"), "sb": s("true"), "se": s(""), "n": n(5), "nf": num("1.5"), "nn": n(-3), "z": n(0),
		"b": cty.True, "nu": cty.NullVal(cty.DynamicPseudoType), "nus": cty.NullVal(cty.String), "nun": cty.NullVal(cty.Number),
		"nul": cty.NullVal(cty.List(cty.String)), "nuo": cty.NullVal(cty.Object(map[string]cty.Type{"a": cty.Number})),
		"ls": cty.ListVal([]cty.Value{s("x"), s("y")}), "ln": cty.ListVal([]cty.Value{n(1), n(2), n(3)}), "le": cty.ListValEmpty(cty.String),
		"ss": cty.SetVal([]cty.Value{s("q"), s("p")}), "sen": cty.SetVal([]cty.Value{n(10), n(9)}), "see": cty.SetValEmpty(cty.Number),
		"mn": cty.MapVal(map[string]cty.Value{"a": n(1), "b": n(2)}), "ms": cty.MapVal(map[string]cty.Value{"a": s("1"), "c": s("z")}), "me": cty.MapValEmpty(cty.Bool),
		"t": cty.TupleVal([]cty.Value{n(1), s("a"), cty.True}), "te": cty.EmptyTupleVal,
		"o": cty.ObjectVal(map[string]cty.Value{"a": n(1), "b": s("x"), "l": cty.ListVal([]cty.Value{n(7)})}), "oe": cty.EmptyObjectVal,
		"lo": cty.ListVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"a": n(1)}), cty.ObjectVal(map[string]cty.Value{"a": n(2)})}),
		"tu": cty.TupleVal([]cty.Value{n(1), cty.UnknownVal(cty.String)}), "ou": cty.ObjectVal(map[string]cty.Value{"a": cty.UnknownVal(cty.Number), "b": n(2)}),
		"lu": cty.ListVal([]cty.Value{n(1), cty.UnknownVal(cty.Number)}), "su": cty.SetVal([]cty.Value{s("k"), cty.UnknownVal(cty.String)}),
		"us": cty.UnknownVal(cty.String), "un": cty.UnknownVal(cty.Number), "ub": cty.UnknownVal(cty.Bool), "ud": cty.DynamicVal,
		"ul": cty.UnknownVal(cty.List(cty.String)), "uset": cty.UnknownVal(cty.Set(cty.Number)), "um": cty.UnknownVal(cty.Map(cty.Number)),
		"ut": cty.UnknownVal(cty.Tuple([]cty.Type{cty.Number, cty.String})), "uo": cty.UnknownVal(cty.Object(map[string]cty.Type{"a": cty.Number})),
	}
	context := &hcl.EvalContext{Variables: vars, Functions: functions}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			panic(err)
		}
		expression, problems := hclsyntax.ParseExpression([]byte(r.Call), "call", hcl.InitialPos)
		if problems.HasErrors() {
			panic(problems)
		}
		value, problems := expression.Value(context)
		r.Answer, r.Fails = nil, problems.HasErrors()
		if !r.Fails {
			r.Answer = val(value)
		}
		if err := out.Encode(r); err != nil {
			panic(err)
		}
	}
}
