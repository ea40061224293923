// The Go plugin, with Extism's PDK and Go's own compiler.
//
// Go's runtime is a WASI reactor: the host must call its export `_initialize`.  It asks for random numbers and clocks, and says
// on the standard error why it panics.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/extism/go-pdk"
)

//go:wasmimport extism:host/user greet
func hostGreet(name uint64) uint64

// The PDK's LogTrace, in version 1.1.3, logs an error.
//
//go:wasmimport extism:host/env log_trace
func logTrace(message uint64)

//go:wasmimport extism:host/env get_log_level
func getLogLevel() int32

// A reactor's main function does not run.
func main() {}

//go:wasmexport echo
func echo() int32 {
	pdk.Output(pdk.Input())
	return 0
}

//go:wasmexport sum_json
func sumJSON() int32 {
	var input struct {
		Name    string  `json:"name"`
		Numbers []int64 `json:"numbers"`
	}
	if err := pdk.InputJSON(&input); err != nil {
		return failed(err)
	}
	var output struct {
		Name string `json:"name"`
		Sum  int64  `json:"sum"`
	}
	output.Name = input.Name
	for _, number := range input.Numbers {
		output.Sum += number
	}
	if err := pdk.OutputJSON(output); err != nil {
		return failed(err)
	}
	return 0
}

const vowels = "aeiouAEIOU"

// Extism's usual example.  The variable `total`, four bytes, outlives the call.
//
//go:wasmexport count_vowels
func countVowels() int32 {
	var count, total uint32
	for _, letter := range pdk.InputString() {
		if strings.ContainsRune(vowels, letter) {
			count++
		}
	}
	if kept := pdk.GetVar("total"); len(kept) == 4 {
		total = binary.LittleEndian.Uint32(kept)
	}
	total += count
	pdk.SetVar("total", binary.LittleEndian.AppendUint32(nil, total))

	report, err := json.Marshal(struct {
		Count  uint32 `json:"count"`
		Total  uint32 `json:"total"`
		Vowels string `json:"vowels"`
	}{count, total, vowels})
	if err != nil {
		return failed(err)
	}
	pdk.Output(report)
	return 0
}

// Asks the host: a handle goes in, a handle comes out.
//
//go:wasmexport greet
func greet() int32 {
	name := pdk.AllocateBytes(pdk.Input())
	pdk.OutputMemory(pdk.FindMemory(hostGreet(name.Offset())))
	return 0
}

var calls int

//go:wasmexport counter
func counter() int32 {
	calls++
	pdk.OutputString(strconv.Itoa(calls))
	return 0
}

//go:wasmexport config_value
func configValue() int32 {
	value, _ := pdk.GetConfig(pdk.InputString())
	pdk.OutputString(value)
	return 0
}

// Input `key=value`.
//
//go:wasmexport var_set
func varSet() int32 {
	key, value, found := bytes.Cut(pdk.Input(), []byte("="))
	if !found {
		return failed(errors.New("expected key=value"))
	}
	pdk.SetVar(string(key), value)
	return 0
}

//go:wasmexport var_get
func varGet() int32 {
	pdk.Output(pdk.GetVar(pdk.InputString()))
	return 0
}

//go:wasmexport var_delete
func varDelete() int32 {
	pdk.RemoveVar(pdk.InputString())
	return 0
}

//go:wasmexport log_all
func logAll() int32 {
	message := pdk.InputString()
	block := pdk.AllocateString(message)
	logTrace(block.Offset())
	for _, level := range []pdk.LogLevel{pdk.LogDebug, pdk.LogInfo, pdk.LogWarn, pdk.LogError} {
		pdk.Log(level, message)
	}
	return 0
}

//go:wasmexport log_level
func logLevel() int32 {
	pdk.OutputString(strconv.Itoa(int(getLogLevel())))
	return 0
}

// As many bytes `x` as the input says, in decimal.
//
//go:wasmexport big_output
func bigOutput() int32 {
	length, err := strconv.Atoi(pdk.InputString())
	if err != nil {
		return failed(err)
	}
	pdk.Output(bytes.Repeat([]byte("x"), length))
	return 0
}

//go:wasmexport http_body
func httpBody() int32 {
	response, err := send()
	if err != nil {
		return failed(err)
	}
	pdk.Output(response.Body())
	return 0
}

//go:wasmexport http_status
func httpStatus() int32 {
	response, err := send()
	if err != nil {
		return failed(err)
	}
	pdk.OutputString(strconv.Itoa(int(response.Status())))
	return 0
}

//go:wasmexport http_headers
func httpHeaders() int32 {
	response, err := send()
	if err != nil {
		return failed(err)
	}
	if err := pdk.OutputJSON(response.Headers()); err != nil {
		return failed(err)
	}
	return 0
}

var methods = map[string]pdk.HTTPMethod{"": pdk.MethodGet, "GET": pdk.MethodGet, "POST": pdk.MethodPost, "PUT": pdk.MethodPut}

// Sends the request that the first line of the input says in JSON, with the rest of the input as its body.
func send() (pdk.HTTPResponse, error) {
	line, body, _ := bytes.Cut(pdk.Input(), []byte("\n"))
	var meta pdk.HTTPRequestMeta
	if err := json.Unmarshal(line, &meta); err != nil {
		return pdk.HTTPResponse{}, err
	}
	request := pdk.NewHTTPRequest(methods[meta.Method], meta.URL).SetBody(body)
	for name, value := range meta.Headers {
		request.SetHeader(name, value)
	}
	return request.Send(), nil
}

//go:wasmexport fail
func fail() int32 {
	return failed(errors.New(pdk.InputString()))
}

//go:wasmexport fail_with_code
func failWithCode() int32 {
	code, err := strconv.Atoi(pdk.InputString())
	if err != nil {
		return failed(err)
	}
	pdk.SetErrorString("coded")
	return int32(code)
}

// In a reactor the runtime prints what happened, on the standard error, and aborts: a trap.
//
//go:wasmexport panic
func panics() int32 {
	panic("at the plugin's request")
}

func failed(err error) int32 {
	pdk.SetError(err)
	return -1
}
