/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve.c - see serve.h */

#include "serve.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "api/internal.h"
#include "engine/internal.h"

static struct engine engine; /* its events are open, nothing else */
static struct api api;
static struct http_server *server;
static char dir[64], path[96], host[112];
static int stop_fd, call_fd;
static void (*call_fn)(struct engine *en);
static pthread_t thread;

static void stop_now(int fd, uint32_t events, void *data)
{
	(void)fd;
	(void)events;
	loop_exit(data, 0);
}

static void call_now(int fd, uint32_t events, void *data)
{
	uint64_t n;

	(void)events;
	(void)data;
	if (read(fd, &n, sizeof(n)) == sizeof(n))
		call_fn(&engine);
}

static void *thread_main(void *data)
{
	(void)loop_run(api.loop);
	http_server_free(server);
	events_close(&engine);
	loop_free(api.loop);
	return data;
}

static void address(struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(sa->sun_path, sizeof(sa->sun_path), "%s", path);
}

bool serve_start(void (*prepare)(struct engine *en))
{
	struct http_config c = {.handler = api_handle, .data = &api, .server_name = "Test/1"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct source *stop, *call;
	struct sockaddr_un sa;
	struct err e = {0};

	(void)snprintf(dir, sizeof(dir), "/tmp/api-test-XXXXXX");
	if (!mkdtemp(dir))
		return false;
	(void)snprintf(path, sizeof(path), "%s/sock", dir);
	(void)snprintf(host, sizeof(host), "unix://%s", path);
	address(&sa);
	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 64) < 0 ||
	    loop_new(&api.loop) < 0 || events_open(&engine) < 0 ||
	    loop_io(api.loop, stop_fd, EPOLLIN, stop_now, api.loop, &stop) < 0 ||
	    loop_io(api.loop, call_fd, EPOLLIN, call_now, NULL, &call) < 0 ||
	    http_server_new(api.loop, &c, &server, &e) < 0 ||
	    http_server_listen(server, fd, NULL, &e) < 0)
		return false;
	api.en = &engine;
	if (prepare)
		prepare(&engine);
	return pthread_create(&thread, NULL, thread_main, NULL) == 0;
}

static void signal_fd(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

void serve_call(void (*fn)(struct engine *en))
{
	call_fn = fn; /* the write below orders it before the read */
	signal_fd(call_fd);
}

void serve_stop(void)
{
	signal_fd(stop_fd);
	pthread_join(thread, NULL);
	(void)close(stop_fd);
	(void)close(call_fd);
	(void)unlink(path);
	(void)rmdir(dir);
}

const char *serve_host(void)
{
	return host;
}

int serve_raw(void)
{
	struct timeval tv = {.tv_sec = 20};
	struct sockaddr_un sa;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address(&sa);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
		abort();
	return fd;
}
