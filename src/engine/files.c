/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * files.c - /etc/hostname, /etc/hosts and /etc/resolv.conf of a container
 *
 * They are bind-mounted, so they are rewritten in place (a mount keeps the old inode after a
 * rename).
 */

#include <string.h>
#include <unistd.h>

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
	if (r >= 0 && remapped(c) &&
	    lchown(path, c->en->config->remap.uid.v[0].first, c->en->config->remap.gid.v[0].first) <
		    0)
		r = -errno;
	return r < 0 ? err_sys(e, -r, "cannot write %s of container %s", file, c->id) : 0;
}

/* host-gateway: --host-gateway-ip, else the gateway of the container's first network that has one
 * of the family. Without any (host mode) the host is itself. */
static struct ip host_gateway(struct container *c, int fam)
{
	char *const *said = c->en->config->host_gateway_ips;
	struct endpoint *ep = NULL;
	bool any = false;

	for (; said && *said; said++) {
		struct ip ip;

		if (ip_parse(*said, &ip) >= 0 && ip_fam(ip) == fam)
			return ip;
	}
	while ((ep = net_container_endpoint_next(c->en->net, c->id, ep))) {
		any = true;
		if (ip_set(endpoint_gateway(ep, fam)))
			return endpoint_gateway(ep, fam);
	}
	return any && !streq(container_network_mode(c), "host") ? (struct ip){0}
	       : fam == V4					? ip_v4(0x7f000001)
								: (struct ip){.lo = 1, .family = 6};
}

static void host_line(struct buf *out, struct ip ip, const char *names)
{
	char text[IP_STR];

	if (ip_set(ip))
		(void)buf_printf(out, "%s\t%s\n", ip_str(ip, text), names);
}

static void extra_hosts(struct container *c, struct buf *out)
{
	json_t *s;
	size_t i;

	json_array_foreach(jo(c->host_config, "ExtraHosts"), i, s)
	{
		const char *text = json_string_value(s), *sep = strpbrk(text, ":=");
		auto_free char *name = sep ? strndup(text, (size_t)(sep - text)) : NULL;

		if (!name)
			continue;
		if (streq(sep + 1, "host-gateway")) {
			for (int fam = 0; fam < N_FAMILIES; fam++)
				host_line(out, host_gateway(c, fam), name);
		} else {
			size_t n = strlen(sep + 1), bare = sep[1] == '[' && n > 2;

			(void)buf_printf(out, "%.*s\t%s\n", (int)(n - 2 * bare), sep + 1 + bare,
					 name);
		}
	}
}

static void own_names(struct container *c, struct buf *out)
{
	const char *host = js(c->config, "Hostname"), *domain = js(c->config, "Domainname");
	auto_free char *names = *domain ? str_printf("%s.%s %s", host, domain, host) : NULL;
	struct endpoint *ep = NULL;

	while ((ep = net_container_endpoint_next(c->en->net, c->id, ep)))
		for (int fam = 0; fam < N_FAMILIES; fam++)
			host_line(out, endpoint_addr(ep, fam).ip, names ? names : host);
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
	links_hosts(c, &b);
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
