/* SPDX-License-Identifier: GPL-2.0-or-later */
/* a Dockerfile's text: lines, directives, instructions, stages, errors with their lines */

#include "base/buf.h"
#include "base/str.h"
#include "build/dockerfile.h"
#include "tap.h"

/* "line|verb word(,word)" of each step */
static char *shown(const struct dockerfile *d)
{
	struct buf b = BUF_INIT(65536);

	for (size_t s = 0; s < d->n_stages; s++)
		for (size_t i = 0; i < d->stages[s].n; i++) {
			const struct instr *in = d->stages[s].steps[i];

			(void)buf_printf(&b, "%u|", in->line);
			for (char **w = in->args; w && *w; w++)
				(void)buf_printf(&b, "%s%s", w == in->args ? "" : ",", *w);
			(void)buf_puts(&b, in->json ? "|json;" : ";");
		}
	return buf_take(&b);
}

static const struct {
	const char *text, *want; /* behind "FROM x\n" */
} good[] = {
	{"RUN a b", "2|a b;"},
	{"run a \\\n b \\\n\n# c\n  d\nRUN e", "2|a  b   d;7|e;"},
	{"RUN a\\\\\nRUN b", "2|a\\\\;3|b;"},
	{"RUN a \\  \n b\\", "2|a  b;"},
	{"\t  RUN x  \r\n", "2|x;"},
	{"RUN [\"a\", \"b c\"]", "2|a,b c|json;"},
	{"RUN [\"a\", b]", "2|[\"a\", b];"},
	{"RUN [ -f x ] && y", "2|[ -f x ] && y;"},
	{"RUN x=$((1<<2)); a <<< b", "2|x=$((1<<2)); a <<< b;"},
	{"CMD", "2|;"},
	{"CMD []", "2||json;"},
	{"ENTRYPOINT exec x", "2|exec x;"},
	{"ENV a=b c=\"d e\" f=g\\ h", "2|a,b,c,\"d e\",f,g\\ h;"},
	{"ENV a  b = c", "2|a,b = c;"},
	{"LABEL \"a b\"=c", "2|\"a b\",c;"},
	{"ARG a b=c d=\"e f\"", "2|a,b=c,d=\"e f\";"},
	{"COPY a b c/", "2|a,b,c/;"},
	{"COPY [\"a b\", \"c\"]", "2|a b,c|json;"},
	{"COPY --from=x --chown=1:2 a b", "2|a,b;"},
	{"ADD --chmod=755 a b", "2|a,b;"},
	{"EXPOSE 80 90/udp", "2|80,90/udp;"},
	{"VOLUME /a /b", "2|/a,/b;"},
	{"VOLUME [\"/a b\"]", "2|/a b|json;"},
	{"USER a b", "2|a b;"},
	{"WORKDIR /a b", "2|/a b;"},
	{"SHELL [\"a\"]", "2|a|json;"},
	{"ONBUILD RUN [\"x\"]", "2|RUN [\"x\"];"},
	{"MAINTAINER me <x>", "2|me <x>;"},
	{"STOPSIGNAL 9", "2|9;"},
	{"HEALTHCHECK NONE", "2|NONE;"},
	{"HEALTHCHECK --interval=5s cmd a b", "2|CMD-SHELL,a b;"},
	{"HEALTHCHECK CMD [\"a\", \"b\"]", "2|CMD,a,b|json;"},
	{"RUN -- --x", "2|-- --x;"},
	{"RUN # x", "2|# x;"},
};

static const struct {
	const char *text, *says;
} bad[] = {
	{"", "file with no instructions"},
	{"# x\n\n", "file with no instructions"},
	{"ARG a", "No image was generated. Is your Dockerfile empty?"},
	{"FROM x\nFOO y", "dockerfile parse error on line 2: unknown instruction: FOO"},
	{"\n\nRUN x", "dockerfile parse error on line 3: no build stage in current context"},
	{"FROM", "dockerfile parse error on line 1: FROM requires either one or three arguments"},
	{"FROM a as 1",
	 "dockerfile parse error on line 1: invalid name for build stage: \"1\", name "
	 "can't start with a number or contain symbols"},
	{"FROM a AS b\nFROM a AS B", "dockerfile parse error on line 2: duplicate name b"},
	{"FROM x\nRUN", "dockerfile parse error on line 2: RUN requires at least one argument"},
	{"FROM x\nUSER", "dockerfile parse error on line 2: USER requires exactly one argument"},
	{"FROM x\nENV", "dockerfile parse error on line 2: ENV requires at least one argument"},
	{"FROM x\nENV a", "dockerfile parse error on line 2: ENV must have two arguments"},
	{"FROM x\nENV a=b c", "dockerfile parse error on line 2: Syntax error - can't find = in "
			      "\"c\". Must be of the form: name=value"},
	{"FROM x\nENV =b", "dockerfile parse error on line 2: ENV names can not be blank"},
	{"FROM x\nARG =b", "dockerfile parse error on line 2: ARG names can not be blank"},
	{"FROM x\nVOLUME [\"\"]",
	 "dockerfile parse error on line 2: VOLUME specified can not be an empty string"},
	{"FROM x\nSHELL a",
	 "dockerfile parse error on line 2: SHELL requires the arguments to be in "
	 "JSON form"},
	{"FROM x\nCMD [1]",
	 "dockerfile parse error on line 2: when using JSON array syntax, arrays "
	 "must be comprised of strings only"},
	{"FROM x\nRUN --x y", "dockerfile parse error on line 2: unknown flag: --x"},
	{"FROM x\nCOPY --from a b",
	 "dockerfile parse error on line 2: missing a value on flag: from"},
	{"FROM x\nCOPY --from=a --from=b a b",
	 "dockerfile parse error on line 2: duplicate flag specified: --from"},
	{"FROM x\nHEALTHCHECK --retries=x CMD a",
	 "dockerfile parse error on line 2: "
	 "strconv.ParseInt: parsing \"x\": invalid syntax"},
	{"FROM x\nHEALTHCHECK --timeout=x CMD a",
	 "dockerfile parse error on line 2: time: invalid duration \"x\""},
	{"FROM x\nHEALTHCHECK CMD",
	 "dockerfile parse error on line 2: Missing command after HEALTHCHECK CMD"},
	{"FROM x\nHEALTHCHECK NONE x",
	 "dockerfile parse error on line 2: HEALTHCHECK NONE takes no arguments"},
	{"FROM x\nONBUILD MAINTAINER x",
	 "dockerfile parse error on line 2: MAINTAINER isn't allowed as an ONBUILD trigger"},
	{"# escape=x\nFROM x",
	 "dockerfile parse error on line 1: invalid escape token 'x' does not match ` or \\"},
	{"# escape=`\n# escape=`\nFROM x",
	 "dockerfile parse error on line 2: only one escape parser directive can be used"},
};

static void directives(void)
{
	auto_(dockerfile_free) struct dockerfile *a = NULL, *b = NULL, *c = NULL;
	const char tick[] = "# syntax=docker/dockerfile:1\n#escape = `\nFROM x\nRUN a `\n b\\\n";
	const char late[] = "# a comment\n# escape=`\nFROM x\nRUN a`\nRUN b\n";
	const char stages[] = "\xef\xbb\xbf"
			      "ARG v=1\nfrom x:${v} as Base\nRUN a\nFROM base\nRUN b\n";
	int r = dockerfile_parse(tick, sizeof(tick) - 1, &a, NULL);

	ok(r == 0 && a->escape == '`' && a->stages[0].n == 1 &&
		   streq(a->stages[0].steps[0]->args[0], "a  b\\"),
	   "the escape directive");
	r = dockerfile_parse(late, sizeof(late) - 1, &b, NULL);
	ok(r == 0 && b->escape == '\\' && b->stages[0].n == 2, "too late for a directive");
	r = dockerfile_parse(stages, sizeof(stages) - 1, &c, NULL);
	ok(r == 0 && c->n_globals == 1 && c->n_stages == 2, "stages");
	if (r < 0)
		return;
	is_int(dockerfile_steps(c), 5, "steps");
	is_str(c->stages[0].from->name, "base", "a stage's name in lower case");
	is_str(c->stages[0].from->args[0], "x:${v}", "its image");
	struct err e = {0};

	r = dockerfile_target(c, "nine", &e);
	is_err(r, e, ERR_INVALID, "failed to reach build target nine in Dockerfile");
	is_int(dockerfile_target(c, "0", NULL), 0, "a target by number");
	is_int(c->n_stages, 1, "what comes after it is cut");
}

static void buildkit(void)
{
	static const char text[] = "FROM x\nRUN --mount=type=cache,target=/x a\nCOPY --link a b\n";
	auto_(dockerfile_free) struct dockerfile *d = NULL;
	int r = dockerfile_parse(text, sizeof(text) - 1, &d, NULL);

	ok(r == 0, "flags that only BuildKit has are no parse errors");
	is_str(r < 0 ? "" : d->stages[0].steps[0]->needs, "--mount option", "RUN --mount");
	is_str(r < 0 ? "" : d->stages[0].steps[1]->needs, "--link option", "COPY --link");
	auto_(dockerfile_free) struct dockerfile *h = NULL;
	struct err e = {0};
	const char *heredocs[] = {"FROM x\nRUN <<EOF\na\nEOF\n", "FROM x\nCOPY <<-'E' /x\n",
				  "FROM x\nRUN cat 3<<\"A\" b\n"};

	for (size_t i = 0; i < ARRAY_SIZE(heredocs); i++)
		ok(dockerfile_parse(heredocs[i], strlen(heredocs[i]), &h, &e) < 0 &&
			   strstr(e.msg, "line 2: a here-document (<<) in "),
		   "a here-document is refused");
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		auto_(dockerfile_free) struct dockerfile *d = NULL;
		auto_free char *text = str_printf("FROM x\n%s", good[i].text), *got = NULL;
		struct err e = {0};

		if (dockerfile_parse(text, strlen(text), &d, &e) >= 0)
			got = shown(d);
		is_str(got ? got : e.msg, good[i].want, "%s", good[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_(dockerfile_free) struct dockerfile *d = NULL;
		struct err e = {0};
		int r = dockerfile_parse(bad[i].text, strlen(bad[i].text), &d, &e);

		is_err(r, e, ERR_INVALID, bad[i].says);
	}
	directives();
	buildkit();
	return tap_done();
}
