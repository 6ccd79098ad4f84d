/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_reload.c - the configuration read again: what changes, what is named, what a bad file does
 */

#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "engine/config.h"
#include "tap.h"

static char file[64];
static char *argv[] = {(char[]){"atolld"}, (char[]){"--config-file"}, file, (char[]){"--mtu=1400"},
		       NULL};

static void put(const char *json)
{
	if (fs_write(file, json, strlen(json), 0600) < 0)
		exit(1);
}

static void is_list(char *const *list, const char *want, const char *what)
{
	auto_buf struct buf text = BUF_INIT(4096);

	for (size_t i = 0; list && list[i]; i++)
		(void)buf_printf(&text, "%s%s", i ? " " : "", list[i]);
	is_str(buf_str(&text), want, "%s", what);
}

static void one(struct daemon_config *c, const char *json, const char *changed, const char *refused)
{
	auto_strv char **a = NULL, **b = NULL;
	struct err e = {0};

	put(json);
	is_int(daemon_config_reload(c, 4, argv, &a, &b, &e), 0, "%s", json);
	is_list(a, changed, "changed");
	is_list(b, refused, "refused");
}

int main(void)
{
	auto_strv char **a = NULL, **b = NULL;
	struct daemon_config c;
	struct err e = {0};

	(void)snprintf(file, sizeof(file), "/tmp/atoll-test-reload-%d.json", getpid());
	put("{\"labels\": [\"a=1\"], \"bip\": \"10.1.0.1/24\"}");
	is_int(daemon_config_read(&c, 4, argv, &e), 0, "read (%s)", e.msg);

	one(&c, "{\"labels\": [\"a=1\"], \"bip\": \"10.1.0.1/24\"}", "", "");
	one(&c, "{\"labels\": [\"a=2\", \"b=3\"], \"bip\": \"10.1.0.1/24\"}", "labels", "");
	is_str(c.labels[1], "b=3", "the new list");
	one(&c,
	    "{\"debug\": true, \"shutdown-timeout\": 7, \"registry-mirrors\": [\"https://m\"], "
	    "\"insecure-registries\": [\"r:5000\"]}",
	    "debug insecure-registries labels log-level registry-mirrors shutdown-timeout", "bip");
	ok(c.debug && c.log_level == LOG_DEBUG && c.shutdown_timeout == 7 && !c.labels,
	   "all of it holds");
	is_str(c.bip, "10.1.0.1/24", "what is refused stays");
	is_int(c.mtu, 1400, "flags stay");
	one(&c,
	    "{\"icc\": false, \"tlsverify\": false, \"tlscert\": \"/c\", \"tlskey\": \"/k\", "
	    "\"dns\": [\"9.9.9.9\"], \"default-address-pools\": [{\"base\": \"10.0.0.0/8\", "
	    "\"size\": 24}], \"default-network-opts\": {\"bridge\": {\"x\": \"y\"}}, "
	    "\"log-format\": \"json\", \"init\": true, \"bip\": \"10.1.0.1/24\"}",
	    "debug insecure-registries log-level registry-mirrors shutdown-timeout",
	    "default-address-pools default-network-opts dns icc init log-format tlscert tlskey "
	    "tlsverify");
	ok(c.icc && !c.dns && !c.n_pools && !c.network_opts && !c.log_json && !c.tlskey,
	   "nothing of that was touched");
	put("{\"labels\": [\"x=1\"], \"mtu\": 1500}");
	ok(daemon_config_reload(&c, 4, argv, &a, &b, &e) < 0 && strstr(e.msg, "both as a flag"),
	   "a bad file: %s", e.msg);
	ok(!a && !b && !c.labels, "and nothing is changed");
	daemon_config_done(&c);
	(void)unlink(file);
	return tap_done();
}
