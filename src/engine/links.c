/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * links.c - --link: another container under an alias
 *
 * HostConfig.Links, on the default network, are lines of /etc/hosts ("container:alias"): there
 * while the other runs, and following it when it is started again, as in Docker. Links of an
 * endpoint on a network with names are the resolver's; here they are only checked.
 */

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/internal.h"

static void add(char ***list, const json_t *links)
{
	const json_t *s;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)links, i,
			   s) if (json_is_string(s) &&
				  strv_add(list, json_string_value(s)) <
					  0) return; /* out of memory leaves one out */
}

/* @all: those of endpoints, too */
static char **links_of(const struct container *c, bool all)
{
	char **list = NULL;
	const char *name;
	json_t *cfg;

	add(&list, jo(c->host_config, "Links"));
	json_object_foreach(all ? c->wanted : NULL, name, cfg) add(&list, jo(cfg, "Links"));
	return list;
}

/* "/name:/other/alias" as old clients write it, "name:alias", "name". Cuts @text. */
static void split(char *text, const char **ret_to, const char **ret_alias)
{
	char *colon = strchr(text, ':'), *slash;

	if (colon)
		*colon++ = '\0';
	*ret_to = *text == '/' ? text + 1 : text;
	slash = colon ? strrchr(colon, '/') : NULL;
	*ret_alias = slash ? slash + 1 : colon ? colon : *ret_to;
}

int links_check(struct container *c, struct err *e)
{
	auto_strv char **list = links_of(c, true);
	const char *mode = container_network_mode(c);

	if (list && streq(mode, "host"))
		return err_invalid(e, "conflicting options: host type networking can't be used "
				      "with links. This would result in undefined behavior");
	for (char **l = list; l && *l; l++) {
		const char *to, *alias;
		struct container *other;

		split(*l, &to, &alias);
		if (!*to || !*alias)
			return err_invalid(e, "bad format for links: %s:%s", to, alias);
		if (engine_find(c->en, to, &other, NULL) < 0)
			return err_invalid(
				e, "could not get container for %s: No such container: %s", to, to);
		if (container_netns_peer(other) || streq(container_network_mode(other), "host"))
			return err_conflict(e, "cannot link to %s: it has no network of its own",
					    to);
	}
	return 0;
}

static void line(struct container *c, struct container *to, const char *alias, struct buf *out)
{
	struct endpoint *ep = NULL;

	while ((ep = net_container_endpoint_next(c->en->net, to->id, ep))) {
		if (!net_endpoint_find(c->en->net, endpoint_network(ep), c->id))
			continue;
		for (int fam = 0; fam < N_FAMILIES; fam++) {
			struct ip ip = endpoint_addr(ep, fam).ip;
			char text[IP_STR];

			if (ip_set(ip))
				(void)buf_printf(out, "%s\t%s %s %s\n", ip_str(ip, text), alias,
						 js(to->config, "Hostname"), to->name);
		}
	}
}

void links_hosts(struct container *c, struct buf *out)
{
	auto_strv char **list = links_of(c, false);

	for (char **l = list; l && *l; l++) {
		const char *to, *alias;
		struct container *other;

		split(*l, &to, &alias);
		if (engine_find(c->en, to, &other, NULL) >= 0)
			line(c, other, alias, out);
	}
}

static bool links_to(const struct container *c, const struct container *to)
{
	auto_strv char **list = links_of(c, false);

	for (char **l = list; l && *l; l++) {
		const char *name, *alias;
		struct container *other;

		split(*l, &name, &alias);
		if (engine_find(c->en, name, &other, NULL) >= 0 && other == to)
			return true;
	}
	return false;
}

void links_changed(struct container *to)
{
	struct container *c;
	struct err e = {0};

	list_for_each (c, &to->en->containers, node)
		if (c != to && net_sandbox_find(c->en->net, c->id) && links_to(c, to) &&
		    files_write(c, &e) < 0)
			log_warn(
				"the links of a container are not up to date container=%s error=%s",
				c->name, e.msg);
}
