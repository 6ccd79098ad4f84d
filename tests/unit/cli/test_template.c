/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_template.c - templates over JSON: results and refusals */

#include "base/json.h"
#include "cli/template.h"
#include "tap.h"

static const char data[] =
	"{\"Name\":\"/web\",\"N\":42,\"Yes\":true,\"No\":false,\"Null\":null,\"Real\":1.5,"
	"\"List\":[\"a\",\"b\",\"c\"],\"Empty\":[],\"None\":\"\","
	"\"Map\":{\"z\":\"1\",\"a\":\"2\"},\"Deep\":{\"X\":{\"Y\":\"y\"}},"
	"\"Ports\":{\"80/tcp\":[{\"HostPort\":\"8080\"}]},\"_labels\":{\"k\":\"v\"}}";

static const struct {
	const char *text, *want;
} good[] = {
	{"", ""},
	{"plain {text}", "plain {text}"},
	{"{{.Name}}", "/web"},
	{"a{{.N}}b", "a42b"},
	{"{{.Yes}} {{.No}} {{.Null}} {{.Real}}", "true false <no value> 1.5"},
	{"{{.Deep.X.Y}} {{.Deep}}", "y map[X:map[Y:y]]"},
	{"{{.List}} {{.Map}} {{.Empty}}", "[a b c] map[a:2 z:1] []"},
	{"{{ .Name }}{{/* nothing */}}", "/web"},
	{"x \n {{- .Name -}} \n y", "x/weby"},
	{"{{\"a\\tb\\\"\"}}{{`raw\\n`}}{{-5}}", "a\tb\"raw\\n-5"},
	{"{{json .Map}} {{json .Name}} {{.List | json}}", "{\"z\":\"1\",\"a\":\"2\"} \"/web\" "
							  "[\"a\",\"b\",\"c\"]"},
	{"{{index .Map \"z\"}}{{index .Map \"q\"}}{{index .List 1}}", "1b"},
	{"{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080"},
	{"{{len .List}}{{len .Name}}{{len .Map}}{{len .Null}}", "3420"},
	{"{{join .List \", \"}} {{upper .Name}} {{lower \"AB\"}} {{title \"a bc\"}}",
	 "a, b, c /WEB ab A Bc"},
	{"{{split \"a,b\" \",\"}}", "[a b]"},
	{"{{print 1 \"x\"}}|{{println .N}}|", "1 x|42\n|"},
	{"{{printf \"%-6s|%.2s|%d|%q|%%|%5s\" .Name .Name .N \"q\" \"r\"}}",
	 "/web  |/w|42|\"q\"|%|    r"},
	{"{{slice .Name 1}} {{slice .Name 1 3}}", "web we"},
	{"{{range .List}}<{{.}}>{{end}}", "<a><b><c>"},
	{"{{range $i, $x := .List}}{{$i}}{{$x}}{{end}}", "0a1b2c"},
	{"{{range $k, $v := .Map}}{{$k}}={{$v}};{{end}}", "a=2;z=1;"},
	{"{{range $x := .List}}{{$x}}{{$.N}}{{end}}", "a42b42c42"},
	{"{{range .Empty}}x{{else}}none{{end}}", "none"},
	{"{{if .Yes}}y{{else}}n{{end}}{{if .No}}y{{else}}n{{end}}", "yn"},
	{"{{if .Missing.Too}}y{{else}}n{{end}}", "n"},
	{"{{if .No}}1{{else if .Yes}}2{{else}}3{{end}}", "2"},
	{"{{if .No}}1{{else if .No}}2{{else}}3{{end}}!", "3!"},
	{"{{with .Deep}}{{.X.Y}}{{end}}{{with .None}}x{{else}}-{{end}}", "y-"},
	{"{{with $d := .Deep}}{{$d.X.Y}}{{end}}", "y"},
	{"{{$x := .Name}}{{$x}}{{$x = .N}}{{$x}}", "/web42"},
	{"{{if eq .N 42}}a{{end}}{{if eq .Name \"x\" \"/web\"}}b{{end}}{{if ne .N 1}}c{{end}}",
	 "abc"},
	{"{{if and .Yes (not .No)}}a{{end}}{{if or .No .Null}}b{{end}}", "a"},
	{"{{lt 1 2}}{{le 2 2}}{{gt 1 2}}{{ge \"b\" \"a\"}}", "truetruefalsetrue"},
	{"{{.Label \"k\"}}{{.Label \"q\"}}.", "v."},
	{"{{range .List}}{{if eq . \"b\"}}[{{.}}]{{end}}{{end}}", "[b]"},
};

static const struct {
	const char *text, *says;
} bad[] = {
	{"{{", "unclosed action"},
	{"{{.Name", "unclosed action"},
	{"{{end}}", "unexpected"},
	{"{{if .Yes}}", "{{end}} is missing"},
	{"{{else}}", "unexpected"},
	{"{{if .Yes}}{{else}}{{else}}{{end}}", "two {{else}}"},
	{"{{nope .Name}}", "function \"nope\" not defined"},
	{"{{.Missing}}", "no entry for key \"Missing\""},
	{"{{.Name.X}}", "is no object"},
	{"{{$y}}", "undefined variable \"$y\""},
	{"{{template \"x\"}}", "not supported"},
	{"{{\"x}}", "unterminated"},
	{"{{(.Name}}", "unclosed left paren"},
	{"{{index .List 7}}", "out of range"},
	{"{{.Name .N}}", "can't give argument"},
	{"{{range .N}}{{end}}", "can't iterate"},
	{"{{printf \"%s\"}}", "printf"},
	{"{{eq .Name 1}}", "incompatible types"},
	{"{{1.5}}", "bad number"},
	{"{{/* x }}", "unclosed comment"},
	{"{{join .List}}", "wrong number of args"},
	{"{{((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))}}",
	 "too deeply"},
};

/* @text without line breaks, for a line of the test's output */
static const char *title(const char *text, char out[80])
{
	(void)snprintf(out, 80, "%s", text);
	for (char *p = out; *p; p++)
		*p = *p == '\n' ? ' ' : *p;
	return out;
}

static void one(const json_t *j, const char *text, const char *want, const char *says)
{
	char line[80];

	auto_(tmpl_free) struct tmpl *t = NULL;
	auto_buf struct buf out = BUF_INIT(1u << 16);
	struct err e = {0};
	int r = tmpl_parse(text, &t, &e);

	if (r >= 0)
		r = tmpl_run(t, j, &out, &e);
	if (want) {
		if (ok(r == 0, "%s: %s", title(text, line), e.msg))
			is_str(buf_str(&out), want, "its text");
	} else {
		ok(r < 0 && strstr(e.msg, says), "%s is refused: %s", title(text, line), e.msg);
	}
}

/* Ranges in ranges end by the bound of the output or of the work. */
static void bounded(void)
{
	auto_buf struct buf text = BUF_INIT(1u << 16);
	auto_json json_t *j = json_array();

	for (int i = 0; i < 100; i++)
		(void)json_array_append_new(j, json_integer(i));
	for (int i = 0; i < 6; i++)
		(void)buf_puts(&text, "{{range $}}");
	for (int i = 0; i < 6; i++)
		(void)buf_puts(&text, "{{end}}");
	one(j, buf_str(&text), NULL, "too much work");
}

int main(void)
{
	auto_json json_t *j = NULL;

	if (json_read(data, strlen(data), &j, NULL) < 0)
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		one(j, good[i].text, good[i].want, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		one(j, bad[i].text, NULL, bad[i].says);
	bounded();
	return tap_done();
}
