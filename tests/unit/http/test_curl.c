/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_curl.c - curl, a client that we did not write */

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serve.h"
#include "tap.h"

#define ARGS_MAX 24

static char out[4u << 20];
static struct serve *server;

/* Runs curl; its output is in out[]. Return: its exit code. */
static int curl(const char *const *args)
{
	const char *argv[ARGS_MAX + 8] = {"curl", "-sS",	   "--max-time",
					  "30",	  "--unix-socket", serve_path(server)};
	size_t n = 6, len = 0;
	int fds[2], status;
	ssize_t got;
	pid_t pid;

	for (; *args && n < ARGS_MAX; args++)
		argv[n++] = *args;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		if (dup2(fds[1], 1) < 0 || dup2(fds[1], 2) < 0)
			_exit(126);
		execvp("curl", (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	(void)close(fds[1]);
	while (len < sizeof(out) - 1 && (got = read(fds[0], out + len, sizeof(out) - 1 - len)) > 0)
		len += (size_t)got;
	out[len] = '\0';
	(void)close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

#define CURL(...) curl((const char *const[]){__VA_ARGS__, NULL})

static bool has(const char *part)
{
	bool good = strstr(out, part) != NULL;

	if (!good)
		printf("# \"%s\" is not in \"%.600s\"\n", part, out);
	return good;
}

static void uploads(void)
{
	char path[] = "/tmp/http-test-curl-XXXXXX", data[80];
	int fd = mkstemp(path);
	static char block[65536];

	memset(block, 'u', sizeof(block));
	for (int i = 0; i < 48; i++)
		if (write(fd, block, sizeof(block)) != sizeof(block))
			abort();
	(void)close(fd);
	(void)snprintf(data, sizeof(data), "@%s", path);
	is_int(CURL("-T", path, "http://d/upload", "-X", "POST"), 0, "upload with a length");
	ok(has("3145728 "), "all of it");
	is_int(CURL("-T", path, "-H", "Transfer-Encoding: chunked", "http://d/upload", "-X",
		    "POST"),
	       0, "upload in chunks");
	ok(has("3145728 "), "all of it");
	is_int(CURL("-w", "%{http_code}", "--data-binary", data, "http://d/collect"), 0,
	       "more than is collected");
	ok(has("the request body is too large") && has("413"), "413 and why");
	is_int(CURL("-w", "%{http_code}", "--data-binary", data, "http://d/fail"), 0,
	       "refused upload");
	ok(has("no such thing") && has("404"), "404 and why");
	is_int(CURL("-w", "%{http_code} %{size_upload}", "-H", "Expect: 100-continue", "-T", path,
		    "-X", "PUT", "http://d/fail"),
	       0, "refused before the upload");
	ok(has("no such thing") && has("404 0"), "404 and why, and nothing was sent");
	(void)unlink(path);
}

int main(void)
{
	server = serve_start(0);
	if (CURL("--version") != 0) {
		serve_stop(server);
		return tap_skip_all("curl is not installed");
	}
	is_int(CURL("http://d/v1/x%20y?q=1%2B1+1"), 0, "GET");
	is_str(out, "GET /v1/x y q=1+1 1 h=- bool=0", "answer");
	is_int(CURL("-I", "http://d/hello"), 0, "HEAD");
	ok(has("HTTP/1.1 200 OK") && has("Content-Length: 26"), "headers");
	is_int(CURL("-0", "http://d/a", "http://d/b"), 0, "HTTP/1.0");
	ok(has("GET /a ") && has("GET /b "), "answers");
	is_int(CURL("http://d/[1-200]", "-w", "%{num_connects}"), 0, "200 on one connection");
	ok(has("GET /200 ") && has("bool=00"), "the last made no connection");
	is_int(CURL("-G", "--data-urlencode", "q={\"label\":[\"a=b c\"]}", "http://d/f"), 0,
	       "query");
	ok(has("q={\"label\":[\"a=b c\"]} "), "decoded");
	is_int(CURL("-d", "{}", "http://d/collect"), 0, "POST");
	is_str(out, "2 00000f62", "collected");
	is_int(CURL("-X", "DELETE", "-w", "%{http_code}", "http://d/empty"), 0, "DELETE");
	is_str(out, "204", "204");
	is_int(CURL("http://d/flood?mb=3"), 0, "stream");
	is_int(strspn(out, "S"), 3u << 20, "3 MB");
	is_int(CURL("http://d/big?mb=3"), 0, "one large answer");
	is_int(strspn(out, "B"), 3u << 20, "3 MB");
	is_int(CURL("-w", "%{http_code}", "http://d/x?q=%zz"), 0, "a broken query");
	ok(has("{\"message\":\"invalid URL escape \\\"%zz\\\"\"}") && has("400"), "400 and why");
	is_int(CURL("--http2", "-w", "%{http_code}", "http://d/hello"), 0, "an offer of HTTP/2");
	ok(has("200"), "stays HTTP/1.1");
	uploads();
	serve_stop(server);
	return tap_done();
}
