/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake_engine.c - a thread a connection; answers by the request's path */

#include "fake_engine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"

#define CONNECTIONS 64

struct fake {
	int listen_fd;
	char dir[64], path[96], host[112];
	const char *api, *refusal;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct buf log;
	int attached, waiting; /* hijacked, and held back until the exit */
	bool in_open;	       /* stdin=1 of the attach */
	pthread_t accepter, threads[CONNECTIONS];
	size_t n;
};

struct connection {
	struct fake *f;
	int fd;
};

static void say(int fd, const char *text)
{
	if (fs_write_all(fd, text, strlen(text)) < 0)
		perror("fake engine");
}

static void answer(int fd, unsigned status, const char *body)
{
	auto_buf struct buf b = BUF_INIT(65536);

	(void)buf_printf(&b, "HTTP/1.1 %u X\r\nContent-Type: application/json\r\n", status);
	if (status != 204)
		(void)buf_printf(&b, "Content-Length: %zu\r\n", strlen(body));
	(void)buf_printf(&b, "\r\n%s", status == 204 ? "" : body);
	say(fd, buf_str(&b));
}

/* Reads a head; drops a body of a known length. */
static bool read_request(int fd, char *head, size_t room)
{
	size_t n = 0;
	const char *length;
	uint64_t left = 0;
	char c;

	while (n + 1 < room && recv(fd, head + n, 1, 0) == 1) {
		head[++n] = '\0';
		if (n >= 4 && !memcmp(head + n - 4, "\r\n\r\n", 4))
			break;
	}
	if (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0)
		return false;
	length = strstr(head, "Content-Length: ");
	if (length) {
		auto_free char *number = strndup(length + 16, strspn(length + 16, "0123456789"));

		if (!number || parse_u64(number, &left) < 0)
			return false;
	}
	for (; left; left--)
		if (recv(fd, &c, 1, 0) != 1)
			return false;
	return true;
}

static void note(struct fake *f, const char *head)
{
	pthread_mutex_lock(&f->lock);
	(void)buf_printf(&f->log, "%.*s\n", (int)(strstr(head, " HTTP/1.1") - head), head);
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static void frame(int fd, unsigned char stream, const char *data, size_t len)
{
	unsigned char head[8] = {
		stream, 0, 0, 0, 0, 0, (unsigned char)(len >> 8), (unsigned char)len};

	if (fs_write_all(fd, head, sizeof(head)) < 0 || fs_write_all(fd, data, len) < 0)
		perror("fake engine");
}

/* The container: echoes until its input ends, says so, exits. */
static void live(struct fake *f)
{
	char data[1024];
	ssize_t n;

	while (f->in_open && (n = recv(f->attached, data, sizeof(data), 0)) > 0)
		frame(f->attached, 1, data, (size_t)n);
	frame(f->attached, 2, "done\n", 5);
	(void)close(f->attached);
	say(f->waiting, "10\r\n{\"StatusCode\":7}\r\n0\r\n\r\n");
}

static void start(struct fake *f, int fd)
{
	if (f->refusal) {
		auto_free char *body = str_printf("{\"message\":\"%s\"}", f->refusal);

		answer(fd, 400, body ? body : "");
		return;
	}
	answer(fd, 204, "");
	if (f->attached >= 0 && f->waiting >= 0)
		live(f);
}

/* Return: false if the connection is no longer ours to read */
static bool respond(struct fake *f, int fd, const char *head)
{
	auto_free char *ping = str_printf("HTTP/1.1 200 OK\r\nApi-Version: %s\r\n"
					  "Content-Length: 0\r\n\r\n",
					  f->api);

	if (strstr(head, "/_ping")) {
		say(fd, ping);
	} else if (strstr(head, "/containers/create")) {
		answer(fd, 201, "{\"Id\":\"c1\",\"Warnings\":[\"careful\"]}");
	} else if (strstr(head, "/c1/attach")) {
		f->in_open = strstr(head, "stdin=1") != NULL;
		f->attached = fd;
		say(fd, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
		return false;
	} else if (strstr(head, "/c1/wait")) {
		f->waiting = fd;
		say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	} else if (strstr(head, "/c1/start")) {
		start(f, fd);
	} else if (strstr(head, "/volumes/busy")) {
		answer(fd, 409, "{\"message\":\"volume is in use\"}");
	} else if (strstr(head, "/volumes/gone")) {
		answer(fd, 503, "no JSON");
	} else if (strstr(head, "DELETE ")) {
		answer(fd, 204, "");
	} else {
		answer(fd, 404, "{\"message\":\"No such container: x\"}");
	}
	return true;
}

static void *serve(void *data)
{
	struct connection c = *(struct connection *)data;
	char head[8192];

	free(data);
	while (read_request(c.fd, head, sizeof(head))) {
		note(c.f, head);
		if (!respond(c.f, c.fd, head))
			return NULL;
	}
	(void)close(c.fd);
	return NULL;
}

static void *accept_all(void *data)
{
	struct fake *f = data;

	while (f->n < CONNECTIONS) {
		struct connection *c = malloc(sizeof(*c));
		int fd = accept(f->listen_fd, NULL, NULL);

		if (!c || fd < 0) {
			free(c);
			break;
		}
		*c = (struct connection){f, fd};
		if (pthread_create(&f->threads[f->n++], NULL, serve, c) != 0)
			abort();
	}
	return NULL;
}

struct fake *fake_start(const char *api_version)
{
	struct fake *f = calloc(1, sizeof(*f));
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	if (!f)
		abort();
	*f = (struct fake){.api = api_version,
			   .attached = -1,
			   .waiting = -1,
			   .log = BUF_INIT(65536),
			   .lock = PTHREAD_MUTEX_INITIALIZER,
			   .changed = PTHREAD_COND_INITIALIZER};
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/cli-test-XXXXXX");
	if (!mkdtemp(f->dir))
		abort();
	(void)snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	(void)snprintf(f->host, sizeof(f->host), "unix://%s", f->path);
	memcpy(sa.sun_path, f->path, strlen(f->path) + 1);
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(f->listen_fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(f->listen_fd, 16) < 0 || pthread_create(&f->accepter, NULL, accept_all, f) != 0)
		abort();
	return f;
}

void fake_stop(struct fake *f)
{
	(void)shutdown(f->listen_fd, SHUT_RDWR); /* wakes accept() */
	pthread_join(f->accepter, NULL);
	for (size_t i = 0; i < f->n; i++)
		pthread_join(f->threads[i], NULL);
	(void)close(f->listen_fd);
	(void)unlink(f->path);
	(void)rmdir(f->dir);
	buf_done(&f->log);
	free(f);
}

const char *fake_host(const struct fake *f)
{
	return f->host;
}

char *fake_log(struct fake *f)
{
	char *copy;

	pthread_mutex_lock(&f->lock);
	copy = strdup(buf_str(&f->log));
	pthread_mutex_unlock(&f->lock);
	return copy;
}

void fake_refuse_start(struct fake *f, const char *text)
{
	f->refusal = text;
}
