/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --change lines of an import */

#include "base/json.h"
#include "base/str.h"
#include "image/internal.h"
#include "tap.h"

static const struct {
	const char *changes[4];
	const char *config; /* sorted and compact */
} good[] = {
	{{"CMD [\"echo\",\"a b\"]"}, "{\"Cmd\":[\"echo\",\"a b\"]}"},
	{{"cmd echo $A \"x\""}, "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo $A \\\"x\\\"\"]}"},
	{{"CMD [\"a\",1]"}, "{\"Cmd\":[\"/bin/sh\",\"-c\",\"[\\\"a\\\",1]\"]}"},
	{{"CMD a", "ENTRYPOINT [\"b\"]"},
	 "{\"Cmd\":[\"/bin/sh\",\"-c\",\"a\"],\"Entrypoint\":[\"b\"]}"},
	{{"ENV A=b"}, "{\"Env\":[\"A=b\"]}"},
	{{"ENV A=b C=\"d e\" F=g\\ h I='j $A'"},
	 "{\"Env\":[\"A=b\",\"C=d e\",\"F=g h\",\"I=j $A\"]}"},
	{{"ENV A some words"}, "{\"Env\":[\"A=some words\"]}"},
	{{"ENV A=1", "ENV A=2 B=x"}, "{\"Env\":[\"A=2\",\"B=x\"]}"},
	{{"ENV P=/bin", "ENV P=/x:$P Q=${P}y R=\\$P S=$none"},
	 "{\"Env\":[\"P=/x:/bin\",\"Q=/x:/biny\",\"R=$P\",\"S=\"]}"},
	{{"ENV AB=1 A=2"}, "{\"Env\":[\"AB=1\",\"A=2\"]}"},
	{{"ENV A="}, "{\"Env\":[\"A=\"]}"},
	{{"LABEL a=b \"c d\"=e f=\"\""}, "{\"Labels\":{\"a\":\"b\",\"c d\":\"e\",\"f\":\"\"}}"},
	{{"LABEL key the value"}, "{\"Labels\":{\"key\":\"the value\"}}"},
	{{"EXPOSE 80 53/udp 8000-8001/tcp"},
	 "{\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{},\"8000/tcp\":{},\"8001/tcp\":{}}}"},
	{{"VOLUME /a /b"}, "{\"Volumes\":{\"/a\":{},\"/b\":{}}}"},
	{{"VOLUME [\"/a b\"]"}, "{\"Volumes\":{\"/a b\":{}}}"},
	{{"USER 1000:1000"}, "{\"User\":\"1000:1000\"}"},
	{{"WORKDIR /a", "WORKDIR b", "WORKDIR c"}, "{\"WorkingDir\":\"/a/b/c\"}"},
	{{"WORKDIR x"}, "{\"WorkingDir\":\"/x\"}"},
	{{"STOPSIGNAL SIGUSR1"}, "{\"StopSignal\":\"SIGUSR1\"}"},
	{{"# nothing\n\nENV A=1 \\\n # in between\n B=2\nUSER u\n"},
	 "{\"Env\":[\"A=1\",\"B=2\"],\"User\":\"u\"}"},
	{{"", "  "}, "{}"},
};

static const struct {
	const char *change, *says;
} bad[] = {
	{"ONBUILD CMD x", "ONBUILD is not supported as a change by this engine"},
	{"HEALTHCHECK NONE", "HEALTHCHECK is not supported as a change by this engine"},
	{"RUN x", "RUN is not a valid change command"},
	{"frob", "FROB is not a valid change command"},
	{"CMD", "CMD requires at least one argument"},
	{"ENV A", "Syntax error - can't find = in \"A\". Must be of the form: name=value"},
	{"ENV A=1 B", "Syntax error - can't find = in \"B\". Must be of the form: name=value"},
	{"ENV =x", "ENV names can not be blank"},
	{"LABEL =x", "LABEL names can not be blank"},
	{"VOLUME [\"\"]", "VOLUME specified can not be an empty string"},
	{"USER \377", "a change is not valid UTF-8"},
	{"ENV A=\377", "a change is not valid UTF-8"},
};

int main(void)
{
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		auto_json json_t *config = json_object();
		auto_free char *text = NULL;

		if (!is_int(changes_apply(config, (char *const *)(uintptr_t)good[i].changes, &e), 0,
			    "changes %zu", i))
			printf("# %s\n", e.msg);
		text = json_dumps(config, JSON_SORT_KEYS | JSON_COMPACT);
		is_str(text, good[i].config, "the config");
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_json json_t *config = json_object();
		char *const v[] = {(char *)(uintptr_t)bad[i].change, NULL};

		e = (struct err){0};
		is_err(changes_apply(config, v, &e), e, ERR_INVALID, bad[i].says);
	}
	auto_json json_t *config = json_object();
	char *const port[] = {(char[]){"EXPOSE 99999"}, NULL};

	ok(changes_apply(config, port, &e) < 0 && e.kind == ERR_INVALID, "no port: %s", e.msg);
	return tap_done();
}
