/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * files.c - /etc/hostname, /etc/hosts and /etc/resolv.conf of a container
 *
 * They are bind-mounted, so they are rewritten in place (a mount keeps the old inode after a
 * rename).
 */

#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/internal.h"

#define FILE_MAX_BYTES (1u << 20)

static const char hosts_head[] = "127.0.0.1\tlocalhost\n"
				 "::1\tlocalhost ip6-localhost ip6-loopback\n"
				 "fe00::\tip6-localnet\n"
				 "ff00::\tip6-mcastprefix\n"
				 "ff02::1\tip6-allnodes\n"
				 "ff02::2\tip6-allrouters\n";

static int put(struct container *c, const char *file, const struct buf *b, struct err *e)
{
	char dir[4096];
	auto_free char *path = str_printf("%s/%s", container_dir(c, dir, sizeof(dir)), file);
	int r;

	if (!path || buf_err(b))
		return err_nomem(e);
	r = fs_write(path, buf_str(b), b->len, 0644);
	return r < 0 ? err_sys(e, -r, "cannot write %s of container %s", file, c->id) : 0;
}

/* The gateway of the container's first network, for "host-gateway". */
static uint32_t host_gateway(struct container *c)
{
	struct endpoint *ep = NULL;

	while ((ep = net_container_endpoint_next(c->en->net, c->id, ep)))
		if (endpoint_gateway(ep))
			return endpoint_gateway(ep);
	return 0x7f000001; /* host mode: the host itself */
}

static void extra_hosts(struct container *c, struct buf *out)
{
	json_t *s;
	size_t i;

	json_array_foreach(jo(c->host_config, "ExtraHosts"), i, s)
	{
		const char *text = json_string_value(s), *sep = strpbrk(text, ":=");
		char gw[IP4_STR];

		if (!sep)
			continue;
		(void)buf_printf(out, "%s\t%.*s\n",
				 streq(sep + 1, "host-gateway") ? ip4_str(host_gateway(c), gw)
								: sep + 1,
				 (int)(sep - text), text);
	}
}

static void own_names(struct container *c, struct buf *out)
{
	const char *host = js(c->config, "Hostname"), *domain = js(c->config, "Domainname");
	struct endpoint *ep = NULL;

	while ((ep = net_container_endpoint_next(c->en->net, c->id, ep))) {
		char ip[IP4_STR];

		if (!endpoint_ip(ep))
			continue;
		if (*domain)
			(void)buf_printf(out, "%s\t%s.%s %s\n", ip4_str(endpoint_ip(ep), ip), host,
					 domain, host);
		else
			(void)buf_printf(out, "%s\t%s\n", ip4_str(endpoint_ip(ep), ip), host);
	}
}

static int write_hosts(struct container *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(FILE_MAX_BYTES);

	if (!streq(container_network_mode(c), "host") ||
	    fs_read("/etc/hosts", FILE_MAX_BYTES / 2, &b) < 0) {
		buf_clear(&b);
		(void)buf_puts(&b, hosts_head);
	}
	extra_hosts(c, &b);
	own_names(c, &b);
	return put(c, "hosts", &b, e);
}

static int write_resolv(struct container *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(FILE_MAX_BYTES);
	auto_strv char **dns = jstrv(c->host_config, "Dns");
	auto_strv char **search = jstrv(c->host_config, "DnsSearch");
	auto_strv char **opts = jstrv(c->host_config, "DnsOptions");
	int r = 0;

	if (streq(container_network_mode(c), "host") && !dns)
		net_host_resolv_conf(c->en->net, &b);
	else
		r = net_resolv_conf(c->en->net, c->id, dns, search, opts, &b, e);
	return r < 0 ? r : put(c, "resolv.conf", &b, e);
}

int files_write(struct container *c, struct err *e)
{
	auto_buf struct buf name = BUF_INIT(4096);
	int r;

	if (container_netns_peer(c))
		return 0; /* the files of the one it shares the network with */
	(void)buf_printf(&name, "%s\n", js(c->config, "Hostname"));
	r = put(c, "hostname", &name, e);
	if (r >= 0)
		r = write_hosts(c, e);
	return r < 0 ? r : write_resolv(c, e);
}
