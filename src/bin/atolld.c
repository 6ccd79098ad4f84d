/* SPDX-License-Identifier: GPL-2.0-or-later */
/* atolld.c - the engine's main: configuration, sockets, engine, API, until it is told to end */

#include <signal.h>
#include <string.h>

#include "api/api.h"
#include "base/log.h"
#include "engine/config.h"
#include "engine/engine.h"
#include "http/server.h"
#include "loop/loop.h"
#include "process.h"
#include "sockets.h"

struct daemon {
	struct daemon_config config;
	struct engine_locks locks;
	struct sockets sockets;
	struct loop *loop;
	struct engine *engine;
	struct api *api;
	struct http_server *http;
	bool stop; /* told to end, perhaps before the loop ran */
};

static void on_end(int signo, void *data)
{
	struct daemon *d = data;

	if (!d->stop)
		log_info("%s: the engine ends, containers live on", strsignal(signo));
	d->stop = true;
	loop_exit(d->loop, 0);
}

static void on_hup(int signo, void *data)
{
	(void)signo;
	(void)data;
	log_info("SIGHUP: the configuration is read at a start only, nothing was reloaded");
}

static int open_signals(struct daemon *d, struct err *e)
{
	int r = loop_new(&d->loop);

	if (r >= 0)
		r = loop_signal(d->loop, SIGTERM, on_end, d, &(struct source *){NULL});
	if (r >= 0)
		r = loop_signal(d->loop, SIGINT, on_end, d, &(struct source *){NULL});
	if (r >= 0)
		r = loop_signal(d->loop, SIGHUP, on_hup, d, &(struct source *){NULL});
	return r < 0 ? err_sys(e, -r, "cannot make the event loop") : 0;
}

static int open_all(struct daemon *d, struct err *e)
{
	struct http_config hc = {.handler = api_handle,
				 .server_name = "Atoll/" ATOLL_VERSION " (linux)"};
	bool private_mntns;
	int r = engine_lock(&d->config, &d->locks, e);

	if (r >= 0)
		r = runtime_enter_mntns(d->config.exec_root, &private_mntns,
					e); /* before any thread */
	if (r >= 0)
		r = open_signals(d, e);
	if (r >= 0)
		r = engine_open(d->loop, &d->config, &d->engine, e);
	if (r >= 0) /* behind the engine's lock: nobody else's socket is taken away */
		r = sockets_open(&d->sockets, d->config.hosts, "unix:///run/atoll.sock",
				 d->config.group, e);
	if (r >= 0)
		r = api_new(d->engine, &d->api, e);
	hc.data = d->api;
	if (r >= 0)
		r = http_server_new(d->loop, &hc, &d->http, e);
	for (size_t i = 0; r >= 0 && i < d->sockets.n; i++)
		r = http_server_listen(d->http, TAKE_FD(d->sockets.fds[i]), e);
	return r < 0 ? r : pidfile_write(d->config.pidfile, e);
}

static void close_all(struct daemon *d)
{
	if (d->locks.exec_root >= 0) /* else it is another engine's */
		pidfile_remove(d->config.pidfile);
	if (d->http)
		http_server_free(d->http);
	sockets_close(&d->sockets);
	api_free(d->api);
	engine_close(d->engine);
	loop_free(d->loop);
	engine_unlock(&d->locks);
}

static int serve(struct daemon *d)
{
	char ready[48];
	int r;

	(void)snprintf(ready, sizeof(ready), "READY=1\nMAINPID=%d", getpid());
	service_notify(ready);
	log_info("atolld " ATOLL_VERSION " is ready");
	r = d->stop ? 0 : loop_run(d->loop);
	service_notify("STOPPING=1");
	return r;
}

int main(int argc, char **argv)
{
	struct daemon d = {.locks = ENGINE_LOCKS_NONE};
	struct err e = {0};
	int r = daemon_config_read(&d.config, argc, argv, &e);

	if (r < 0) {
		(void)fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	if (r == 1 && d.config.help)
		daemon_config_help();
	else if (r == 1)
		printf("Atoll version " ATOLL_VERSION ", build " ATOLL_BUILD "\n");
	if (r == 0) {
		process_setup(&d.config);
		r = open_all(&d, &e);
		if (r >= 0)
			r = serve(&d);
		else
			log_error("%s", e.msg);
		close_all(&d);
	}
	daemon_config_done(&d.config);
	return r < 0 ? 1 : 0;
}
