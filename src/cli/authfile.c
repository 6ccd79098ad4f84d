/* SPDX-License-Identifier: GPL-2.0-or-later */
/* authfile.c - credentials for registries */
#include "cli/authfile.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#include "base/base64.h"
#include "base/fs.h"
#include "base/json.h"
#include "cli/cli.h"

#define FILE_MAX_BYTES (4u << 20)
#define SECRET_MAX     (64u << 10)

/* ---- the file ---- */

static char *folder(void)
{
	const char *set = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

	return need(!str_empty(set) ? strdup(set)
				    : str_printf("%s/.docker", str_empty(home) ? "/root" : home));
}

static char *file_path(void)
{
	auto_free char *dir = folder();

	return need(str_printf("%s/config.json", dir));
}

static int read_file(json_t **ret, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(FILE_MAX_BYTES);
	auto_free char *path = file_path();
	int r = fs_read(path, FILE_MAX_BYTES, &text);

	if (r == -ENOENT || (r >= 0 && !text.len)) {
		*ret = need(json_object());
		return 0;
	}
	if (r < 0)
		return err_sys(e, -r, "open %s", path);
	r = json_read(buf_str(&text), text.len, ret, e);
	if (r >= 0 && !json_is_object(*ret)) {
		json_decref(*ret);
		r = err_invalid(e, "it is no JSON object");
	}
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}

static int write_file(const json_t *config, struct err *e)
{
	auto_free char *path = file_path(), *dir = folder();
	auto_free char *text = need(json_dumps(config, JSON_INDENT(8)));
	int r = fs_mkdir_p(dir, 0700);

	if (r >= 0)
		r = fs_write_atomic(path, text, strlen(text), 0600);
	return r < 0 ? err_sys(e, -r, "cannot write %s", path) : 0;
}

/* "https://host:5000/v1/" and "host:5000" are the same server */
static bool same_server(const char *a, const char *b)
{
	const char *pa = strstr(a, "://"), *pb = strstr(b, "://");
	size_t n;

	pa = pa ? pa + 3 : a;
	pb = pb ? pb + 3 : b;
	n = strcspn(pa, "/");
	return n == strcspn(pb, "/") && !strncmp(pa, pb, n);
}

static const char *find_key(const json_t *obj, const char *server)
{
	const char *key;
	json_t *v;

	if (json_object_get(obj, server))
		return server;
	json_object_foreach((json_t *)obj, key, v)
	{
		(void)v;
		if (same_server(key, server))
			return key;
	}
	return NULL;
}

/* ---- helpers ---- */

/* the helper's name for a server; NULL: the file */
static const char *helper_of(const json_t *config, const char *server)
{
	const json_t *helpers = json_get(config, "credHelpers");
	const char *key = find_key(helpers, server);
	const char *name = key ? json_string_value(json_object_get(helpers, key)) : NULL;

	if (!name)
		name = json_string_value(json_get(config, "credsStore"));
	return str_empty(name) ? NULL : name;
}

static void child(const char *program, const char *verb, int in, int out)
{
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(126);
	(void)execlp(program, program, verb, (char *)NULL);
	_exit(127);
}

static int exchange(pid_t pid, int in, int out, const char *text, struct buf *answer)
{
	char piece[4096];
	ssize_t n = 0;
	int status = 0, r = fs_write_all(in, text, strlen(text));

	(void)fd_close(in);
	if (r == -EPIPE) /* it answers without having asked */
		r = 0;
	while (r >= 0 && (n = read(out, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		r = n < 0 ? -errno : buf_add(answer, piece, (size_t)n);
	}
	(void)fd_close(out);
	explicit_bzero(piece, sizeof(piece));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return -ENOENT;
	return r < 0 ? r : WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* docker-credential-NAME VERB, @text in, @answer out. Return: its exit code, -errno with @e */
static int ask_helper(const char *name, const char *verb, const char *text, struct buf *answer,
		      struct err *e)
{
	auto_free char *program = need(str_printf("docker-credential-%s", name));
	int in[2], out[2], r;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	if (pipe2(out, O_CLOEXEC) < 0) {
		r = errno;
		(void)fd_close(in[0]);
		(void)fd_close(in[1]);
		return err_sys(e, r, "cannot make a pipe");
	}
	pid = fork();
	if (pid == 0)
		child(program, verb, in[0], out[1]);
	r = pid < 0 ? -errno : 0;
	(void)fd_close(in[0]);
	(void)fd_close(out[1]);
	if (pid < 0) {
		(void)fd_close(in[1]);
		(void)fd_close(out[0]);
	} else {
		r = exchange(pid, in[1], out[0], text, answer);
	}
	return r < 0 ? err_sys(e, -r, "error getting credentials: %s", program) : r;
}

static bool not_found(const struct buf *answer)
{
	return strstr(buf_str(answer), "credentials not found") != NULL;
}

static int helper_failed(const char *name, const struct buf *answer, struct err *e)
{
	return err_set(e, ERR_INTERNAL, EIO, "docker-credential-%s: %.*s", name,
		       (int)strcspn(buf_str(answer), "\n"), buf_str(answer));
}

static int helper_get(const char *name, const char *server, json_t *auth, struct err *e)
{
	auto_buf struct buf answer = BUF_INIT(SECRET_MAX);
	auto_json json_t *j = NULL;
	int r = ask_helper(name, "get", server, &answer, e);
	const char *user, *secret;

	if (r > 0 && not_found(&answer))
		return 0;
	if (r > 0)
		return helper_failed(name, &answer, e);
	if (r >= 0)
		r = json_read(buf_str(&answer), answer.len, &j, e);
	if (r < 0)
		return r;
	user = js(j, "Username");
	secret = js(j, "Secret");
	if (streq(user, "<token>")) {
		(void)json_object_set_new(auth, "identitytoken", need(json_string(secret)));
	} else {
		(void)json_object_set_new(auth, "username", need(json_string(user)));
		(void)json_object_set_new(auth, "password", need(json_string(secret)));
	}
	return 0;
}

static int helper_store(const char *name, const char *server, const json_t *auth, struct err *e)
{
	auto_buf struct buf answer = BUF_INIT(SECRET_MAX);
	bool token = *js(auth, "identitytoken");
	auto_json json_t *j =
		need(json_pack("{s:s,s:s,s:s}", "ServerURL", server, "Username",
			       token ? "<token>" : js(auth, "username"), "Secret",
			       token ? js(auth, "identitytoken") : js(auth, "password")));
	auto_free char *text = need(json_dumps(j, JSON_COMPACT));
	int r = ask_helper(name, "store", text, &answer, e);

	explicit_bzero(text, strlen(text));
	return r > 0 ? helper_failed(name, &answer, e) : r;
}

/* ---- the four verbs ---- */

/* "auth": base64 of user:password */
static int take_pair(const json_t *entry, json_t *auth, struct err *e)
{
	auto_buf struct buf pair = BUF_INIT(SECRET_MAX);
	const char *text = js(entry, "auth"), *colon;

	if (*js(entry, "identitytoken"))
		(void)json_object_set(auth, "identitytoken", json_get(entry, "identitytoken"));
	if (!*text)
		return 0;
	if (base64_decode(&pair, text, strlen(text)) < 0 || !(colon = strchr(buf_str(&pair), ':')))
		return err_invalid(e, "the configuration file has an invalid auth entry");
	(void)json_object_set_new(
		auth, "username",
		need(json_stringn(buf_str(&pair), (size_t)(colon - buf_str(&pair)))));
	(void)json_object_set_new(auth, "password", need(json_string(colon + 1)));
	explicit_bzero(pair.data, pair.len);
	return 0;
}

int auth_find(const char *server, json_t **ret, struct err *e)
{
	auto_json json_t *config = NULL, *auth = need(json_object());
	const json_t *auths;
	const char *helper, *key;
	int r = read_file(&config, e);

	if (r < 0)
		return r;
	helper = helper_of(config, server);
	auths = json_get(config, "auths");
	key = find_key(auths, server);
	if (helper)
		r = helper_get(helper, server, auth, e);
	else if (key)
		r = take_pair(json_object_get(auths, key), auth, e);
	if (r < 0)
		return r;
	if (json_object_size(auth))
		(void)json_object_set_new(auth, "serveraddress", need(json_string(server)));
	*ret = TAKE_PTR(auth);
	return 0;
}

char *auth_header(const json_t *auth)
{
	auto_buf struct buf b = BUF_INIT(2 * SECRET_MAX);
	auto_free char *text = need(json_dumps(auth, JSON_COMPACT));

	base64_encode(&b, text, strlen(text), true);
	explicit_bzero(text, strlen(text));
	return need(buf_take(&b));
}

static void set_entry(json_t *config, const char *server, json_t *entry)
{
	json_t *auths = json_object_get(config, "auths");

	if (!json_is_object(auths)) {
		auths = need(json_object());
		(void)json_object_set_new(config, "auths", auths);
	}
	if (entry)
		(void)json_object_set_new(auths, server, entry);
	else
		(void)json_object_del(auths, server);
}

int auth_store(const char *server, const json_t *auth, char **ret_file, struct err *e)
{
	auto_buf struct buf pair = BUF_INIT(SECRET_MAX), coded = BUF_INIT(2 * SECRET_MAX);
	auto_json json_t *config = NULL;
	const char *helper;
	int r = read_file(&config, e);

	*ret_file = NULL;
	if (r < 0)
		return r;
	helper = helper_of(config, server);
	if (helper) {
		r = helper_store(helper, server, auth, e);
		set_entry(config, server, need(json_object()));
		return r < 0 ? r : write_file(config, e);
	}
	(void)buf_printf(&pair, "%s:%s", js(auth, "username"), js(auth, "password"));
	base64_encode(&coded, buf_str(&pair), pair.len, false);
	json_t *entry = need(json_pack("{s:s}", "auth", buf_str(&coded)));

	if (*js(auth, "identitytoken"))
		(void)json_object_set(entry, "identitytoken", json_get(auth, "identitytoken"));
	set_entry(config, server, entry);
	*ret_file = file_path();
	return write_file(config, e);
}

int auth_erase(const char *server, struct err *e)
{
	auto_buf struct buf answer = BUF_INIT(SECRET_MAX);
	auto_json json_t *config = NULL;
	const char *helper, *key;
	int r = read_file(&config, e);
	bool there;

	if (r < 0)
		return r;
	helper = helper_of(config, server);
	key = find_key(json_get(config, "auths"), server);
	there = key != NULL;
	if (helper) {
		r = ask_helper(helper, "erase", server, &answer, e);
		if (r < 0 || (r > 0 && !not_found(&answer)))
			return r < 0 ? r : helper_failed(helper, &answer, e);
		there = there || r == 0;
	}
	if (key) {
		set_entry(config, key, NULL);
		r = write_file(config, e);
	}
	return r < 0 ? r : there;
}
