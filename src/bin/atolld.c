/* SPDX-License-Identifier: GPL-2.0-or-later */
/* atolld.c - the engine's main: configuration, sockets, engine, API, until it is told to end */

#include <signal.h>
#include <string.h>

#include "api/api.h"
#include "base/log.h"
#include "engine/config.h"
#include "engine/engine.h"
#include "http/server.h"
#include "http/tls.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "process.h"
#include "reload.h"
#include "sockets.h"

#define METRICS_CLIENTS 32

struct daemon {
	int argc;
	char **argv;
	struct daemon_config config;
	struct engine_locks locks;
	struct sockets sockets;
	struct loop *loop;
	struct engine *engine;
	struct api *api;
	struct tls *tls;
	struct metrics *metrics;
	struct http_server *http, *metrics_http;
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
	struct daemon *d = data;

	(void)signo;
	if (d->engine) /* before, it is being read anyway */
		config_reload(&d->config, d->argc, d->argv, d->engine);
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

/* The configuration's files: read before anything is touched. */
static int load_tls(struct daemon *d, struct err *e)
{
	const struct tls_files files = {
		.ca = d->config.tlscacert, .cert = d->config.tlscert, .key = d->config.tlskey};
	bool verify;

	return daemon_config_tls(&d->config, &verify) ? tls_server_new(&files, verify, &d->tls, e)
						      : 0;
}

static int open_sockets(struct daemon *d, struct err *e)
{
	const struct daemon_config *c = &d->config;
	struct sockets_config sc = {.fallback = "unix:///run/atoll.sock", .group = c->group};
	bool verify;
	int r;

	sc.tls = daemon_config_tls(c, &verify);
	sc.anywhere = verify || c->tls == OFF || c->tlsverify == OFF;
	r = sockets_open(&d->sockets, c->hosts, &sc, e);
	for (size_t i = 0; r >= 0 && i < d->sockets.n && !verify; i++)
		if (d->sockets.tcp[i])
			log_warn("whoever reaches the TCP socket of the API is root on this host: "
				 "clients need no certificate");
	return r;
}

/* The metrics have a server of their own: another address, without the API. */
static int open_metrics(struct daemon *d, struct err *e)
{
	const struct http_config hc = {
		.handler = metrics_handle, .data = d->metrics, .max_connections = METRICS_CLIENTS};
	int fd = sockets_listen_tcp(d->config.metrics_addr, e), r;

	if (fd < 0)
		return fd;
	r = http_server_new(d->loop, &hc, &d->metrics_http, e);
	if (r < 0)
		(void)fd_close(fd);
	return r < 0 ? r : http_server_listen(d->metrics_http, fd, NULL, e);
}

static int open_http(struct daemon *d, struct err *e)
{
	struct http_config hc = {.handler = api_handle,
				 .server_name = "Atoll/" ATOLL_VERSION " (linux)"};
	int r = api_new(d->engine, &d->api, e);

	if (r >= 0 && d->config.metrics_addr) {
		r = metrics_new(d->engine, &d->metrics, e);
		hc.ended = metrics_request;
		hc.ended_data = d->metrics;
	}
	hc.data = d->api;
	if (r >= 0)
		r = http_server_new(d->loop, &hc, &d->http, e);
	for (size_t i = 0; r >= 0 && i < d->sockets.n; i++)
		r = http_server_listen(d->http, TAKE_FD(d->sockets.fds[i]),
				       d->sockets.tcp[i] ? d->tls : NULL, e);
	if (r >= 0 && d->metrics) {
		metrics_of_server(d->metrics, d->http);
		r = open_metrics(d, e);
	}
	return r;
}

static int open_all(struct daemon *d, struct err *e)
{
	bool private_mntns;
	int r = load_tls(d, e);

	if (r >= 0)
		r = engine_lock(&d->config, &d->locks, e);
	if (r >= 0)
		r = runtime_enter_mntns(d->config.exec_root, &private_mntns,
					e); /* before any thread */
	if (r >= 0)
		r = open_signals(d, e);
	if (r >= 0)
		r = engine_open(d->loop, &d->config, &d->engine, e);
	if (r >= 0) /* behind the engine's lock: nobody else's socket is taken away */
		r = open_sockets(d, e);
	if (r >= 0)
		r = open_http(d, e);
	return r < 0 ? r : pidfile_write(d->config.pidfile, e);
}

static void close_all(struct daemon *d)
{
	if (d->locks.exec_root >= 0) /* else it is another engine's */
		pidfile_remove(d->config.pidfile);
	http_server_free(d->metrics_http);
	http_server_free(d->http);
	sockets_close(&d->sockets);
	tls_free(d->tls);
	api_free(d->api);
	metrics_free(d->metrics);
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

/* --validate: the configuration was read; now the files that it names. */
static int validate(struct daemon *d, struct err *e)
{
	int r = load_tls(d, e);

	tls_free(d->tls);
	if (r >= 0)
		(void)fprintf(stderr, "configuration OK\n");
	else
		(void)fprintf(stderr, "%s\n", e->msg);
	return r;
}

static int run(struct daemon *d, struct err *e)
{
	int r;

	process_setup(&d->config);
	r = open_all(d, e);
	if (r >= 0)
		r = serve(d);
	else
		log_error("%s", e->msg);
	close_all(d);
	return r;
}

int main(int argc, char **argv)
{
	struct daemon d = {.argc = argc, .argv = argv, .locks = ENGINE_LOCKS_NONE};
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
	if (r == 0)
		r = d.config.validate ? validate(&d, &e) : run(&d, &e);
	daemon_config_done(&d.config);
	return r < 0 ? 1 : 0;
}
