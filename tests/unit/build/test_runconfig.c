/* SPDX-License-Identifier: GPL-2.0-or-later */
/* what each instruction does to the config; build arguments; cache keys */

#include "base/json.h"
#include "base/str.h"
#include "build/runconfig.h"
#include "tap.h"

static const struct {
	const char *lines[4];
	const char *config;  /* without PATH; sorted and compact */
	const char *comment; /* of the last line */
} changes[] = {
	{{"ENV A=1 B=\"x y\""}, "{\"Env\":[\"A=1\",\"B=x y\"]}", "ENV A=1 B=x y"},
	{{"ENV A=1", "ENV A=${A}2 C=$A"}, "{\"Env\":[\"A=12\",\"C=1\"]}", "ENV A=12 C=1"},
	{{"LABEL a=b", "LABEL \"c d\"=e"},
	 "{\"Labels\":{\"a\":\"b\",\"c d\":\"e\"}}",
	 "LABEL c d=e"},
	{{"CMD echo $A"},
	 "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo $A\"]}",
	 "CMD [\"/bin/sh\" \"-c\" \"echo $A\"]"},
	{{"CMD [\"a\\tb\"]"}, "{\"Cmd\":[\"a\\tb\"]}", "CMD [\"a\\tb\"]"},
	{{"CMD a", "ENTRYPOINT [\"b\"]"},
	 "{\"Cmd\":[\"/bin/sh\",\"-c\",\"a\"],\"Entrypoint\":[\"b\"]}",
	 "ENTRYPOINT [\"b\"]"},
	{{"SHELL [\"x\", \"-y\"]", "CMD a"},
	 "{\"Cmd\":[\"x\",\"-y\",\"a\"],\"Shell\":[\"x\",\"-y\"]}",
	 "CMD [\"x\" \"-y\" \"a\"]"},
	{{"EXPOSE 90/udp 80 81-82"},
	 "{\"ExposedPorts\":{\"80/tcp\":{},\"81/tcp\":{},\"82/tcp\":{},\"90/udp\":{}}}",
	 "EXPOSE 80/tcp 81/tcp 82/tcp 90/udp"},
	{{"VOLUME /a /b"}, "{\"Volumes\":{\"/a\":{},\"/b\":{}}}", "VOLUME [/a /b]"},
	{{"WORKDIR /a", "WORKDIR b/../c"}, "{\"WorkingDir\":\"/a/c\"}", "WORKDIR /a/c"},
	{{"WORKDIR x"}, "{\"WorkingDir\":\"/x\"}", "WORKDIR /x"},
	{{"USER u:g"}, "{\"User\":\"u:g\"}", "USER u:g"},
	{{"STOPSIGNAL 9"}, "{\"StopSignal\":\"9\"}", "STOPSIGNAL 9"},
	{{"ONBUILD RUN $X"}, "{\"OnBuild\":[\"RUN $X\"]}", "ONBUILD RUN $X"},
	{{"HEALTHCHECK --interval=90s --retries=3 CMD x"},
	 "{\"Healthcheck\":{\"Interval\":90000000000,\"Retries\":3,\"Test\":[\"CMD-SHELL\",\"x\"]}"
	 "}",
	 "HEALTHCHECK &{[\"CMD-SHELL\" \"x\"] \"1m30s\" \"0s\" \"0s\" \"0s\" '\\x03'}"},
	{{"HEALTHCHECK --timeout=1s NONE"}, "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}", NULL},
	{{"MAINTAINER me"}, "{}", "MAINTAINER me"},
};

static int apply(json_t *config, const struct args *a, const char *line, bool *cmd_set,
		 char **comment, struct err *e)
{
	auto_(instr_free) struct instr *i = NULL;
	auto_strv char **words = NULL;
	int r = instr_parse(line, 1, '\\', &i, e);

	if (r >= 0)
		r = runconfig_expand(config, a, '\\', i, &words, e);
	free(*comment);
	*comment = NULL;
	return r < 0 ? r : runconfig_apply(config, i, words, cmd_set, comment, e);
}

static void test_changes(void)
{
	struct args a;

	ok(args_init(&a, NULL, NULL) == 0, "arguments");
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		auto_json json_t *config = runconfig_new(NULL);
		auto_free char *comment = NULL, *text = NULL;
		bool cmd_set = false;
		struct err e = {0};
		int r = json_array_remove(json_object_get(config, "Env"), 0); /* PATH */

		for (const char *const *l = changes[i].lines; r >= 0 && *l; l++)
			r = apply(config, &a, *l, &cmd_set, &comment, &e);
		if (!json_array_size(json_object_get(config, "Env")))
			(void)json_object_del(config, "Env");
		text = json_dumps(config, JSON_SORT_KEYS | JSON_COMPACT);
		is_str(r < 0 ? e.msg : text, changes[i].config, "%s", changes[i].lines[0]);
		if (changes[i].comment)
			is_str(comment, changes[i].comment, "its comment");
	}
	args_done(&a);
}

static void test_base(void)
{
	auto_json json_t *image = json_loads("{\"config\":{\"Cmd\":[\"x\"],\"Env\":[\"PATH=/"
					     "p\"],\"Hostname\":\"h\",\"User\":null}}",
					     0, NULL);
	auto_json json_t *config = runconfig_new(image), *bare = runconfig_new(NULL);
	auto_free char *text = json_dumps(config, JSON_SORT_KEYS | JSON_COMPACT), *comment = NULL;
	bool cmd_set = false;
	struct args a;

	is_str(text, "{\"Cmd\":[\"x\"],\"Env\":[\"PATH=/p\"]}",
	       "what of an image's config is kept");
	ok(env_get(json_object_get(bare, "Env"), "PATH") != NULL, "a PATH from nothing");
	ok(args_init(&a, NULL, NULL) == 0 &&
		   apply(config, &a, "ENTRYPOINT [\"y\"]", &cmd_set, &comment, NULL) >= 0 &&
		   !json_object_get(config, "Cmd"),
	   "an entrypoint drops the base image's command");
	args_done(&a);
}

static void test_args(void)
{
	auto_json json_t *given = json_loads(
		"{\"a\":\"given\",\"b\":null,\"http_proxy\":\"p\",\"odd\":\"x\"}", 0, NULL);
	auto_json json_t *env = json_loads("[\"e=1\"]", 0, NULL);
	auto_strv char **list = NULL, **unused = NULL;
	struct args a;

	ok(args_init(&a, given, NULL) == 0 && args_declare(&a, "g=global", true) == 0, "begin");
	ok(!args_get(&a, "a") && !args_get(&a, "g"), "nothing is declared in the stage");
	is_str(args_get_global(&a, "g"), "global", "in FROM");
	ok(args_declare(&a, "a=default", false) == 0 && args_declare(&a, "b=default", false) == 0 &&
		   args_declare(&a, "c=own", false) == 0 && args_declare(&a, "d", false) == 0 &&
		   args_declare(&a, "e=2", false) == 0 && args_declare(&a, "g", false) == 0,
	   "ARGs");
	is_str(args_get(&a, "a"), "given", "the request wins");
	is_str(args_get(&a, "b"), NULL, "named without a value");
	is_str(args_get(&a, "c"), "own", "a default");
	is_str(args_get(&a, "g"), "global", "a global one's value");
	ok(args_list(&a, env, &list) == 0 && strv_len(list) == 4, "all but what the image has");
	if (strv_len(list) == 4) {
		is_str(list[0], "a=given", "sorted");
		is_str(list[3], "http_proxy=p", "a proxy without an ARG");
		ok(args_in_key(&a, list[0]) && !args_in_key(&a, list[3]), "it is not in the key");
	}
	ok(args_unused(&a, &unused) == 0 && strv_len(unused) == 1 && streq(unused[0], "odd"),
	   "unused ones");
	ok(args_stage(&a) == 0 && !args_get(&a, "c"), "another stage");
	args_done(&a);
}

static void test_keys(void)
{
	auto_json json_t *config = runconfig_new(NULL);
	auto_json json_t *one = runconfig_key_comment(config, "ENV a=b", false);
	auto_json json_t *two = runconfig_key_comment(config, "WORKDIR /x", true);
	auto_free char *text = runconfig_created_by(one), *other = runconfig_created_by(two);
	char *command[] = {(char *)"/bin/sh", (char *)"-c", (char *)"x", NULL};
	char *pairs[] = {(char *)"a=1", (char *)"http_proxy=p", NULL};
	struct args a;

	is_str(text, "/bin/sh -c #(nop)  ENV a=b", "a comment of two words");
	is_str(other, "/bin/sh -c #(nop) WORKDIR /x", "a comment of one");
	ok(args_init(&a, NULL, NULL) == 0, "arguments");
	auto_json json_t *run = runconfig_key_run(config, &a, command, pairs);
	auto_free char *with = runconfig_created_by(run);

	is_str(with, "|1 a=1 /bin/sh -c x", "a RUN with arguments");
	auto_json json_t *plain = runconfig_key_run(config, &a, command, NULL);
	auto_free char *without = runconfig_created_by(plain);

	is_str(without, "/bin/sh -c x", "a RUN without");
	ok(!json_equal(run, plain) && !json_equal(one, two), "other steps, other keys");
	args_done(&a);
}

int main(void)
{
	test_changes();
	test_base();
	test_args();
	test_keys();
	return tap_done();
}
