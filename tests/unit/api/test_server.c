/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_server.c - the API behind a real server and without an engine: versions, headers, bodies,
 * errors, clients that leave */

#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/client.h"
#include "serve.h"
#include "tap.h"

#define SWARM                                                                                      \
	"{\"message\":\"This node is not a swarm manager. Use \\\"docker swarm init\\\" or "       \
	"\\\"docker swarm join\\\" to connect this node to swarm and try again.\"}\n"
#define NOT_FOUND "{\"message\":\"page not found\"}\n"

/* ---- tables ---- */

struct ask {
	const char *method, *path, *type, *body;
	unsigned status;
	const char *answer; /* NULL: any */
};

static void is_answer(struct http_client *c, const struct ask *a)
{
	struct http_call call = {.method = a->method,
				 .path = a->path,
				 .content_type = a->type,
				 .body = a->body,
				 .body_len = a->body ? strlen(a->body) : 0};
	struct http_resp r;
	struct err e = {0};
	int x = http_client_call(c, &call, &r, &e);

	is_int(x, 0, "%s %s %.60s%s", a->method, a->path, a->body ? a->body : "", x ? e.msg : "");
	is_int(r.status, a->status, "status");
	is_str(r.api_version, "1.51", "Api-Version");
	if (a->answer)
		is_str(buf_str(&r.body), a->answer, "body");
	if (a->status >= 400)
		is_str(r.content_type, "application/json", "errors are JSON");
	http_resp_done(&r);
}

static void all(const struct ask *table, size_t n)
{
	auto_(http_client_free) struct http_client *c = NULL;
	struct err e = {0};

	is_int(http_client_new(serve_host(), NULL, &c, &e), 0, "client");
	for (size_t i = 0; i < n; i++)
		is_answer(c, &table[i]);
}

static void versions(void)
{
	static const struct ask table[] = {
		{"GET", "/_ping", NULL, NULL, 200, "OK"},
		{"HEAD", "/_ping", NULL, NULL, 200, ""},
		{"GET", "/v1.24/_ping", NULL, NULL, 200, "OK"},
		{"GET", "/v1.51/_ping", NULL, NULL, 200, "OK"},
		{"GET", "/v1.23/_ping", NULL, NULL, 400,
		 "{\"message\":\"client version 1.23 is too old. Minimum supported API version is "
		 "1.24, please upgrade your client to a newer version\"}\n"},
		{"GET", "/v1.52/plugins", NULL, NULL, 400,
		 "{\"message\":\"client version 1.52 is too new. Maximum supported API version is "
		 "1.51\"}\n"},
		{"GET", "/v2.0/plugins", NULL, NULL, 400,
		 "{\"message\":\"client version 2.0 is too new. Maximum supported API version is "
		 "1.51\"}\n"},
		{"GET", "/v1.99/nonsense", NULL, NULL, 404, NOT_FOUND},
	};

	all(table, ARRAY_SIZE(table));
}

static void routes(void)
{
	static const struct ask table[] = {
		{"GET", "/", NULL, NULL, 404, NOT_FOUND},
		{"GET", "/v1.41/nonsense", NULL, NULL, 404, NOT_FOUND},
		{"GET", "/containers", NULL, NULL, 404, NOT_FOUND},
		{"PATCH", "/containers/json", NULL, NULL, 404, NOT_FOUND},
		{"GET", "/plugins", NULL, NULL, 200, "[]\n"},
		{"GET", "/swarm", NULL, NULL, 503, SWARM},
		{"GET", "/v1.41/services", NULL, NULL, 503, SWARM},
		{"POST", "/secrets/create", NULL, "{}", 503, SWARM},
		{"POST", "/v1.41/session?t=x", NULL, NULL, 501,
		 "{\"message\":\"POST /v1.41/session is not implemented by this engine\"}\n"},
		{"GET", "/plugins/a/b/c:1/json", NULL, NULL, 501,
		 "{\"message\":\"GET /plugins/a/b/c:1/json is not implemented by this engine\"}\n"},
		{"POST", "/images/create?fromImage=X&tag=latest", NULL, NULL, 400,
		 "{\"message\":\"invalid reference format: repository name (library/X) must be "
		 "lowercase\"}\n"},
		{"POST", "/images/create", NULL, NULL, 400,
		 "{\"message\":\"fromImage or fromSrc must be given\"}\n"},
		{"POST", "/build/prune", NULL, NULL, 200,
		 "{\"CachesDeleted\":null,\"SpaceReclaimed\":0}\n"},
	};

	all(table, ARRAY_SIZE(table));
}

static void queries(void)
{
	static const struct ask table[] = {
		{"GET", "/networks?filters=%7Bbroken", NULL, NULL, 400,
		 "{\"message\":\"invalid filter\"}\n"},
		{"GET", "/networks?filters=%7B%22nonsense%22%3A%5B%22x%22%5D%7D", NULL, NULL, 400,
		 "{\"message\":\"invalid filter 'nonsense'\"}\n"},
		{"GET", "/networks?filters=%7B%22type%22%3A%5B%22x%22%5D%7D", NULL, NULL, 400,
		 "{\"message\":\"invalid filter: 'type'='x'\"}\n"},
		{"GET", "/networks?filters=%7B%22dangling%22%3A%5B%22x%22%5D%7D", NULL, NULL, 400,
		 "{\"message\":\"invalid filter 'dangling=[x]'\"}\n"},
		{"GET", "/events?since=yesterday", NULL, NULL, 400,
		 "{\"message\":\"invalid value for \\\"since\\\": failed to parse value as time or "
		 "duration: \\\"yesterday\\\"\"}\n"},
		{"GET", "/events?since=20&until=10", NULL, NULL, 400,
		 "{\"message\":\"`since` time (20) cannot be after `until` time (10)\"}\n"},
		{"POST", "/volumes/prune?filters=[]", NULL, NULL, 400,
		 "{\"message\":\"invalid filter\"}\n"},
	};

	all(table, ARRAY_SIZE(table));
}

#define JSON "application/json"

static void bodies(void)
{
	static const struct ask table[] = {
		{"POST", "/networks/create", NULL, NULL, 400,
		 "{\"message\":\"invalid JSON: got EOF while reading request body\"}\n"},
		{"POST", "/networks/create", "text/plain", "{\"Name\":\"x\"}", 400,
		 "{\"message\":\"unsupported Content-Type header (text/plain): must be "
		 "'application/json'\"}\n"},
		{"POST", "/networks/create", "application/jsonx", "{}", 400, NULL},
		{"POST", "/networks/create", JSON, "[]", 400,
		 "{\"message\":\"invalid JSON: json: cannot unmarshal array into Go value of type "
		 "map[string]interface {}\"}\n"},
		{"POST", "/networks/create", JSON, "null", 400, NULL},
		{"POST", "/networks/create", JSON, "\"text\"", 400, NULL},
		{"POST", "/networks/create", JSON, "{\"Name\":\"x\"} trailing", 400, NULL},
		{"POST", "/networks/create", JSON, "{\"Name\":\"\\ud800\"}", 400, NULL},
		{"POST", "/networks/create", "Application/JSON; charset=utf-8", "{\"Name\":7}", 400,
		 "{\"message\":\"json: cannot unmarshal number into Go struct field "
		 "NetworkCreateRequest.Name of type string\"}\n"},
		{"POST", "/networks/x/connect", JSON, "{\"Container\":7}", 400,
		 "{\"message\":\"json: cannot unmarshal number into Go struct field "
		 "NetworkConnect.Container of type string\"}\n"},
		{"POST", "/volumes/create", JSON, "{\"Driver\":\"no-such\"}", 404,
		 "{\"message\":\"error looking up volume plugin no-such: plugin \\\"no-such\\\" "
		 "not "
		 "found\"}\n"},
		{"POST", "/volumes/create", JSON, "{\"Name\":[]}", 400, NULL},
	};

	all(table, ARRAY_SIZE(table));
}

static void deep_and_long(void)
{
	auto_free char *deep = calloc(1, 100001), *big = calloc(1, LIMIT_JSON_BODY + 2);
	struct ask ask = {"POST", "/networks/create", JSON, deep, 400, NULL};

	memset(deep, '[', 100000);
	all(&ask, 1);
	memset(big, ' ', LIMIT_JSON_BODY + 1);
	ask.body = big;
	ask.status = 413;
	all(&ask, 1);
}

static const char *ask_raw(const char *request)
{
	static char answer[8192];
	size_t got = 0;
	int fd = serve_raw();
	ssize_t n;

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		abort();
	(void)shutdown(fd, SHUT_WR);
	while ((n = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) > 0)
		got += (size_t)n;
	answer[got] = '\0';
	(void)close(fd);
	return answer;
}

static void headers(void)
{
	static const char *const ping[] = {
		"HTTP/1.1 200 OK\r\n",	  "Api-Version: 1.51\r\n",
		"Builder-Version: 1\r\n", "Cache-Control: no-cache, no-store, must-revalidate\r\n",
		"Pragma: no-cache\r\n",	  "Docker-Experimental: false\r\n",
		"Ostype: linux\r\n",	  "Server: Test/1\r\n",
		"Swarm: inactive\r\n",
	};
	const char *a = ask_raw("HEAD /_ping HTTP/1.1\r\nHost: x\r\n\r\n");

	for (size_t i = 0; i < ARRAY_SIZE(ping); i++)
		ok(strstr(a, ping[i]), "ping has %.*s", (int)strcspn(ping[i], "\r"), ping[i]);
	ok(str_has_suffix(a, "\r\n\r\n"), "HEAD has no body");
	a = ask_raw("GET /nonsense HTTP/1.1\r\nHost: x\r\n\r\n");
	ok(strstr(a, "Api-Version: 1.51\r\n") && strstr(a, "Ostype: linux\r\n"),
	   "a 404 has the headers, too");
}

/* A client that leaves in the middle of a body asked for nothing; what it left is freed (ASan). */
static void leaving(void)
{
	static const char *const pieces[] = {
		"POST /networks/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		"Content-Length: 50\r\n\r\n{\"Name\":",
		"POST /networks/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
		"chunked\r\n\r\n5\r\n{\"Na",
		"POST /session HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nabc",
	};
	static const struct ask alive = {"GET", "/plugins", NULL, NULL, 200, "[]\n"};

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		int fd = serve_raw();

		ok(send(fd, pieces[i], strlen(pieces[i]), MSG_NOSIGNAL) > 0, "half a request");
		(void)close(fd);
		all(&alive, 1);
	}
}

int main(void)
{
	if (!serve_start(NULL))
		return tap_skip_all("the server cannot be started");
	versions();
	headers();
	routes();
	queries();
	bodies();
	deep_and_long();
	leaving();
	serve_stop();
	return tap_done();
}
