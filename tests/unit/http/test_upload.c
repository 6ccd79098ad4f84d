/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_upload.c - request bodies: collected, streamed with pauses, refused, cut off */

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "http/client.h"
#include "serve.h"
#include "tap.h"

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static bool has(const char *text, const char *part)
{
	bool good = strstr(text, part) != NULL;

	if (!good)
		printf("# \"%s\" is not in \"%.600s\"\n", part, text);
	return good;
}

/* a body that is made as it is read */
struct source_text {
	uint64_t left;
	uint32_t seed, sum;
	uint64_t reads, fail_after;
};

static ssize_t make(void *data, void *buf, size_t room)
{
	struct source_text *t = data;
	unsigned char *p = buf;
	size_t n = t->left < room ? (size_t)t->left : room;

	if (t->fail_after && ++t->reads > t->fail_after)
		return -EIO;
	if (n > 100)
		n -= t->seed % 97; /* uneven chunks */
	for (size_t i = 0; i < n; i++) {
		t->seed = t->seed * 1103515245u + 12345u;
		p[i] = (unsigned char)(t->seed >> 16);
		t->sum = t->sum * 31 + p[i];
	}
	t->left -= n;
	return (ssize_t)n;
}

static long peak_kb(void)
{
	struct rusage ru;

	return getrusage(RUSAGE_SELF, &ru) == 0 ? ru.ru_maxrss : -1;
}

static int post(struct http_client *c, const char *path, struct source_text *t, unsigned *status,
		char answer[512])
{
	struct http_call call = {.method = "POST", .path = path, .read_body = make, .data = t};
	struct http_resp r;
	struct err e = {0};
	int x = http_client_call(c, &call, &r, &e);

	*status = r.status;
	(void)snprintf(answer, 512, "%.511s", x ? e.msg : buf_str(&r.body));
	http_resp_done(&r);
	return x;
}

static void collected(struct serve *s, struct http_client *c)
{
	static const size_t sizes[] = {1, 10, 65535, 65536, 65537, 1u << 20};
	unsigned status;
	char answer[512], want[64];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct source_text t = {.left = sizes[i], .seed = 1};

		is_int(post(c, "/collect", &t, &status, answer), 0, "chunked body of %zu",
		       sizes[i]);
		snprintf(want, sizeof(want), "%zu %08x", sizes[i], t.sum);
		is_str(answer, want, "collected whole");
	}
	has(raw_ask(s, "POST /collect HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false),
	    "0 00000000");
	ok(has(raw_ask(s,
		       "POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
		       "Connection: close\r\n\r\n",
		       false),
	       "0 00000000"),
	   "no body");
}

static void too_large(struct serve *s, struct http_client *c)
{
	struct source_text t = {.left = (1u << 20) + 1, .seed = 2}, u = {.left = 12u << 20};
	struct source_text v = {.left = 400u << 20, .seed = 3};
	uint64_t gone = seen(SEEN_GONE);
	unsigned status;
	char answer[512];

	is_int(post(c, "/collect", &t, &status, answer), 0, "a byte too many");
	is_int(status, 413, "413");
	is_str(answer, "{\"message\":\"the request body is too large\"}\n", "and why");
	is_int(seen(SEEN_GONE), gone + 1, "the handler heard it");
	is_int(post(c, "/fail", &u, &status, answer), 0, "12 MB to a refusing handler");
	is_int(status, 404, "swallowed, then answered");
	is_str(answer, "{\"message\":\"no such thing\"}", "with the text");
	is_int(post(c, "/fail", &v, &status, answer), 0, "400 MB to a refusing handler");
	is_int(status, 404, "answered before the end");
	ok(v.left > 300u << 20, "and not all of it was read: %llu MB left",
	   (unsigned long long)v.left >> 20);
	is_str(answer, "{\"message\":\"no such thing\"}", "with the text");
	ok(has(raw_ask(s,
		       "POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n"
		       "Expect: 100-continue\r\n\r\n",
		       true),
	       "HTTP/1.1 100 "),
	   "100-continue where the body is wanted");
	ok(!strncmp(raw_ask(s,
			    "POST /fail HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n"
			    "Expect: 100-continue\r\n\r\n",
			    false),
		    "HTTP/1.1 404 ", 13),
	   "the answer instead, where it is not");
}

static void streamed(struct http_client *c)
{
	struct source_text t = {.left = 64u << 20, .seed = 4};
	uint64_t paused = seen(SEEN_UPLOAD_PAUSED);
	long before = peak_kb(), after;
	char want[64], answer[512];
	unsigned status;

	is_int(post(c, "/upload", &t, &status, answer), 0, "64 MB with pauses");
	snprintf(want, sizeof(want), "%u %08x", 64u << 20, t.sum);
	is_str(answer, want, "every byte once, in order");
	ok(seen(SEEN_UPLOAD_PAUSED) > paused + 20, "it was paused");
	after = peak_kb();
#ifdef SANITIZED
	ok(true, "peak memory grew by %ld KB (not judged under sanitizers)", after - before);
#else
	ok(after - before < 4096, "peak memory grew by %ld KB", after - before);
#endif
}

/* A paused upload of which all is sent, then the client half-closes: nothing is lost. */
static void half_closed(struct serve *s, bool chunked, size_t first)
{
	uint64_t paused = seen(SEEN_UPLOAD_PAUSED);
	char head[256], body[20000], answer[4096];
	int fd = raw_unix(s);

	memset(body, 'x', sizeof(body));
	snprintf(head, sizeof(head), "POST /upload?hold=1 HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s",
		 chunked ? "Transfer-Encoding: chunked" : "Content-Length: 20000",
		 chunked ? "4e20\r\n" : "");
	raw_puts(fd, head);
	raw_send(fd, body, first);
	if (chunked && first == sizeof(body))
		raw_puts(fd, "\r\n0\r\n\r\n");
	ok(await(SEEN_UPLOAD_PAUSED, paused + 1), "an upload is held after %zu bytes", first);
	raw_send(fd, body, sizeof(body) - first);
	if (chunked && first < sizeof(body))
		raw_puts(fd, "\r\n0\r\n\r\n");
	(void)shutdown(fd, SHUT_WR);
	(void)raw_ask(s, "POST /release HTTP/1.0\r\n\r\n", false);
	(void)raw_until(fd, NULL, answer, sizeof(answer));
	ok(has(answer, "200 OK") && has(answer, "20000 "), "half-closed while held (%s): whole",
	   chunked ? "chunked" : "length");
	(void)close(fd);
}

/* A held upload does not grow without end. */
static void held(struct serve *s)
{
	uint64_t paused = seen(SEEN_UPLOAD_PAUSED), sent = 0;
	char block[65536], answer[512];
	int fd = raw_unix(s);

	memset(block, 'x', sizeof(block));
	raw_puts(fd, "POST /upload?hold=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 67108864\r\n\r\n");
	raw_send(fd, block, 1);
	ok(await(SEEN_UPLOAD_PAUSED, paused + 1), "an upload is held");
	sent = 1;
	for (int calm = 0; calm < 20;) { /* until nothing is taken any more */
		ssize_t n = send(fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);

		calm = n > 0 ? 0 : calm + 1;
		sent += n > 0 ? (uint64_t)n : 0;
		if (n <= 0)
			(void)raw_ask(s, "GET /hello HTTP/1.0\r\n\r\n", false); /* a turn */
	}
	ok(sent < 2u << 20, "a held upload takes %llu KB", (unsigned long long)sent >> 10);
	(void)raw_ask(s, "POST /release HTTP/1.0\r\n\r\n", false);
	for (; sent < 67108864; sent += sizeof(block)) {
		size_t left = (size_t)(67108864 - sent);

		if (!raw_send(fd, block, left < sizeof(block) ? left : sizeof(block)))
			break;
	}
	ok(raw_until(fd, "67108864 ", answer, sizeof(answer)) && has(answer, "67108864 "),
	   "released, it goes to its end");
	(void)close(fd);
}

static void cut_off(struct serve *s, struct http_client *c)
{
	struct source_text t = {.left = 10u << 20, .seed = 5, .fail_after = 20};
	uint64_t gone = seen(SEEN_GONE), paused, requests;
	unsigned status;
	char answer[512];
	int fd;

	is_int(post(c, "/upload", &t, &status, answer), -EIO, "the source fails");
	ok(await(SEEN_GONE, gone + 1), "gone: a client that broke off");
	requests = seen(SEEN_REQUEST);
	fd = raw_unix(s);
	raw_puts(fd, "POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
	ok(await(SEEN_REQUEST, requests + 1), "a body in part");
	(void)close(fd);
	ok(await(SEEN_GONE, gone + 2), "gone: collected in part, closed");
	ok(has(raw_ask(s, "POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
		       true),
	       ""),
	   "half-closed with the body in part: ended");
	ok(await(SEEN_GONE, gone + 3), "gone: collected in part, half-closed");
	fd = raw_unix(s);
	paused = seen(SEEN_UPLOAD_PAUSED); /* the first one above was paused, too */
	raw_puts(fd,
		 "POST /upload?hold=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc");
	ok(await(SEEN_UPLOAD_PAUSED, paused + 1), "held");
	(void)close(fd);
	ok(await(SEEN_GONE, gone + 4), "gone: closed while held");
	fd = raw_unix(s);
	raw_puts(fd, "POST /fail HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
	(void)shutdown(fd, SHUT_WR);
	ok(raw_until(fd, NULL, answer, sizeof(answer)) && has(answer, "404 Not Found") &&
		   has(answer, "no such thing"),
	   "refused, body cut off by a half-close: still answered");
	(void)close(fd);
	ok(has(raw_ask(s, "GET /hello HTTP/1.0\r\n\r\n", false), "200 OK"), "the server lives");
	is_int(seen(SEEN_GONE), gone + 4, "gone came once for each");
}

/* Answered, the body never comes: the answer goes out after the limit of time. */
static void stalled(struct serve *s)
{
	int fd = raw_unix(s);
	char answer[4096];

	raw_puts(fd, "POST /fail HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
	ok(raw_until(fd, NULL, answer, sizeof(answer)) && has(answer, "404 Not Found") &&
		   has(answer, "Connection: close") &&
		   has(answer, "{\"message\":\"no such thing\"}"),
	   "an upload that stalls is answered in the end");
	(void)close(fd);
}

int main(void)
{
	auto_(http_client_free) struct http_client *c = NULL;
	struct serve *s = serve_start(0);
	struct err e = {0};

	is_int(http_client_new(serve_host(s), NULL, &c, &e), 0, "client");
	collected(s, c);
	too_large(s, c);
	streamed(c);
	half_closed(s, false, 10000);
	half_closed(s, false, 20000);
	half_closed(s, true, 10000);
	half_closed(s, true, 20000);
	held(s);
	cut_off(s, c);
	stalled(s);
	serve_stop(s);
	return tap_done();
}
