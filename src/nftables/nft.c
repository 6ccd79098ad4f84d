/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft.c - the table and the mirror of its elements
 *
 * A transaction is text for libnftables: elements added or deleted, applied whole or not at all.
 * The mirror (set name and element text) changes only when the kernel took the transaction; it is
 * what nft_replace() and nft_repair() replay.
 *
 * An owned table belongs to the socket of a libnftables context. It persists when that socket goes,
 * but is anybody's then: so each transaction begins by claiming it, which changes nothing while we
 * have it.
 */

#include "nftables/nft.h"

#include <fcntl.h>
#include <nftables/libnftables.h>
#include <stdarg.h>
#include <string.h>
#include <sys/select.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/str.h"
#include "nftables/internal.h"

#define TEXT_MAX (64u << 20)
#define CALLS_PER_CONTEXT                                                                          \
	500 /* libnftables keeps some memory a call: start afresh now and then                     \
	     */

extern const char ruleset_text[], guard_text[]; /* data/<name>.nft, embedded at build time */

#define HEAD "table inet " TABLE " {"

struct change {
	bool del;
	char *key; /* "set element" */
};

struct nft_tx {
	struct nft *nft;
	struct change *list;
	size_t n, room;
	int fail;
};

/*
 * libnftables waits for its socket by select(2), which has no room for descriptors from 1,024 on
 * (the C library ends the process), and an engine with many containers and ports has more. So some
 * low ones are kept, and given up for the moment in which a context opens its socket: a new
 * descriptor is the lowest that is free. Several, for other threads open files, too. What a closed
 * context leaves is kept again at once, before anything that stays takes it.
 */
#define SPARE 64
#define GIVEN 4 /* at once */
static int spare[SPARE];
static bool spared;

static void spare_take(void)
{
	for (size_t i = 0; i < SPARE; i++) {
		if (spared && spare[i] >= 0)
			continue;
		spare[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (spare[i] >= FD_SETSIZE)
			spare[i] = fd_close(spare[i]);
	}
	spared = true;
}

/* Return: there is a low descriptor for a context. */
static bool spare_give(void)
{
	size_t given = 0;
	int lowest;

	for (size_t i = 0; spared && i < SPARE && given < GIVEN; i++)
		if (spare[i] >= 0) {
			spare[i] = fd_close(spare[i]);
			given++;
		}
	lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)fd_close(lowest);
	return lowest >= 0 && lowest < FD_SETSIZE;
}

static int context_new(struct nft_ctx **ret, struct err *e)
{
	bool room = spare_give();

	*ret = room ? nft_ctx_new(NFT_CTX_DEFAULT) : NULL;
	spare_take();
	if (!room)
		return err_set(e, ERR_INTERNAL, EMFILE,
			       "too many open files: no low descriptor is left for the firewall");
	return *ret ? 0 : err_nomem(e);
}

static struct nft_ctx *context_free(struct nft_ctx *ctx)
{
	if (ctx) {
		nft_ctx_free(ctx);
		spare_take();
	}
	return NULL;
}

int nft_context(struct nft *n, struct err *e)
{
	int r;

	if (n->ctx && n->calls++ < CALLS_PER_CONTEXT)
		return 0;
	n->ctx = context_free(n->ctx);
	n->calls = 0;
	r = context_new(&n->ctx, e);
	if (r < 0)
		return r;
	if (!nft_ctx_buffer_error(n->ctx) && !nft_ctx_buffer_output(n->ctx))
		return 0;
	/* without the buffers its words would go to our standard error */
	n->ctx = context_free(n->ctx);
	return err_nomem(e);
}

int nft_run(struct nft *n, const char *text, struct err *e)
{
	const char *why;
	int r = nft_context(n, e);

	if (r < 0)
		return r;
	if (nft_run_cmd_from_buffer(n->ctx, text) == 0)
		return 0;
	why = nft_ctx_get_error_buffer(n->ctx);
	r = strstr(why, "No such file or directory") ? ENOENT : EIO;
	return err_set(e, ERR_INTERNAL, r, "the firewall refused a change: %.*s", 400, why);
}

int nft_open(struct nft **ret, struct err *e)
{
	struct nft *n = calloc(1, sizeof(*n));
	int r = n ? map_new(&n->mirror) : -ENOMEM;

	if (r >= 0)
		r = nft_context(n, e);
	if (r < 0) {
		nft_close(n);
		return r == -ENOMEM ? err_nomem(e) : r;
	}
	*ret = n;
	return 0;
}

void nft_close(struct nft *n)
{
	if (!n)
		return;
	nft_watch_stop(n);
	(void)context_free(n->ctx);
	map_free(n->mirror);
	free(n);
}

/* ---- transactions ---- */

struct nft_tx *nft_tx_new(struct nft *n)
{
	struct nft_tx *tx = calloc(1, sizeof(*tx));

	if (tx)
		tx->nft = n;
	return tx;
}

static void tx_clear(struct nft_tx *tx)
{
	for (size_t i = 0; i < tx->n; i++)
		free(tx->list[i].key);
	tx->n = 0;
	tx->fail = 0;
}

void nft_tx_free(struct nft_tx *tx)
{
	if (!tx)
		return;
	tx_clear(tx);
	free(tx->list);
	free(tx);
}

PRINTF(4, 0)
static void tx_push(struct nft_tx *tx, bool del, const char *set, const char *fmt, va_list ap)
{
	auto_free char *element = NULL;
	char *key;

	if (vasprintf(&element, fmt, ap) < 0) {
		element = NULL;
		tx->fail = -ENOMEM;
		return;
	}
	if (tx->n == tx->room) {
		size_t room = tx->room ? tx->room * 2 : 16;
		struct change *more = reallocarray(tx->list, room, sizeof(*more));

		if (!more) {
			tx->fail = -ENOMEM;
			return;
		}
		tx->list = more;
		tx->room = room;
	}
	key = str_printf("%s %s", set, element);
	if (!key) {
		tx->fail = -ENOMEM;
		return;
	}
	tx->list[tx->n++] = (struct change){del, key};
}

void nft_add(struct nft_tx *tx, const char *set, const char *element, ...)
{
	va_list ap;

	va_start(ap, element);
	tx_push(tx, false, set, element, ap);
	va_end(ap);
}

void nft_del(struct nft_tx *tx, const char *set, const char *element, ...)
{
	va_list ap;

	va_start(ap, element);
	tx_push(tx, true, set, element, ap);
	va_end(ap);
}

bool nft_is_guard(const char *key)
{
	return str_has_prefix(key, "guard_");
}

static const char *family(const char *key)
{
	return nft_is_guard(key) ? "bridge" : "inet";
}

static void element_line(struct buf *out, bool del, const char *key)
{
	const char *space = strchr(key, ' ');

	(void)buf_printf(out, "%s element %s " TABLE " %.*s { %s }\n", del ? "delete" : "add",
			 family(key), (int)(space - key), key, space + 1);
}

/* The text of what really changes: what is there already, or gone already, is left out. The bridge
 * table comes before its first element and goes after its last. */
static int tx_text(const struct nft_tx *tx, struct buf *out)
{
	auto_(map_free) struct map *latest = NULL; /* change of each element so far */
	auto_buf struct buf lines = BUF_INIT(TEXT_MAX);
	size_t guards = tx->nft->guards;
	bool guarded = guards > 0;
	int r = map_new(&latest);

	for (size_t i = 0; r >= 0 && i < tx->n; i++) {
		struct change *c = &tx->list[i];
		const struct change *before = map_get(latest, c->key);
		bool there = before ? !before->del : map_get(tx->nft->mirror, c->key) != NULL;

		r = map_put(latest, c->key, c);
		if (there != c->del)
			continue;
		element_line(&lines, c->del, c->key);
		if (nft_is_guard(c->key)) {
			guards += c->del ? (size_t)-1 : 1;
			guarded = true;
		}
	}
	if (lines.len && tx->nft->owned == OWNED_YES)
		(void)buf_puts(out, CLAIM);
	if (guarded && !tx->nft->guards)
		(void)buf_puts(out, guard_text);
	(void)buf_puts(out, buf_str(&lines));
	if (guarded && !guards)
		(void)buf_puts(out, "delete table bridge " TABLE "\n");
	return r < 0 ? r : buf_err(&lines) ? buf_err(&lines) : buf_err(out);
}

static int mirror_take(struct nft_tx *tx, struct err *e)
{
	static char present;

	for (size_t i = 0; i < tx->n; i++) {
		const struct change *c = &tx->list[i];
		int r = 0;

		if (c->del)
			r = map_del(tx->nft->mirror, c->key) ? -1 : 0;
		else if ((r = map_put(tx->nft->mirror, c->key, &present)) < 0)
			return err_nomem(e);
		if (nft_is_guard(c->key))
			tx->nft->guards += (size_t)r;
	}
	return 0;
}

int nft_apply(struct nft_tx *tx, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(TEXT_MAX);
	struct err first = {0};
	int r = tx->fail;

	if (r < 0)
		return err_nomem(e);
	if (tx_text(tx, &text) < 0)
		return err_nomem(e);
	r = text.len ? nft_run(tx->nft, buf_str(&text), &first) : 0;
	if (r == -ENOENT && nft_repair(tx->nft, NULL) >= 0) /* somebody took the table away */
		r = nft_run(tx->nft, buf_str(&text), &first);
	if (r < 0) {
		if (e)
			*e = first;
		return r;
	}
	r = mirror_take(tx, e);
	tx_clear(tx);
	return r;
}

/* ---- the whole table ---- */

/* The rules. Flags stand within the table's braces: libnftables would send the table once more
 * without them, which the kernel refuses. */
static void rules_text(const struct nft *n, bool own, struct buf *out)
{
	const char *body = strstr(ruleset_text, HEAD) + strlen(HEAD);

	if (own)
		(void)buf_puts(out, "destroy table inet " TABLE "\n" HEAD FLAGS);
	else
		(void)buf_puts(out, "table inet " TABLE "\ndelete table inet " TABLE "\n" HEAD);
	(void)buf_puts(out, body);
	(void)buf_puts(out, nft_pass_text(n->pass));
	if (n->guards)
		(void)buf_printf(out, "table bridge " TABLE "\ndelete table bridge " TABLE "\n%s",
				 guard_text);
}

/* Elements of one set in one statement: far fewer lines to parse than one a line. */
static void set_text(const struct nft *n, const char *set, size_t len, struct buf *out)
{
	const char *key, *before = "";
	size_t pos = 0;

	(void)buf_printf(out, "add element %s " TABLE " %.*s {", family(set), (int)len, set);
	while (map_next(n->mirror, &pos, &key)) {
		if (strncmp(key, set, len + 1) != 0) /* the space after it, too */
			continue;
		(void)buf_printf(out, "%s %s", before, key + len + 1);
		before = ",";
	}
	(void)buf_puts(out, " }\n");
}

static void mirror_text(const struct nft *n, bool own, struct buf *out)
{
	auto_strv char **sets = NULL;
	const char *key;
	size_t pos = 0;

	rules_text(n, own, out);
	while (map_next(n->mirror, &pos, &key)) {
		size_t len = strcspn(key, " ");
		bool done = false;

		for (size_t i = 0; sets && sets[i] && !done; i++)
			done = !strncmp(sets[i], key, len) && !sets[i][len];
		if (done)
			continue;
		if (strv_addf(&sets, "%.*s", (int)len, key) < 0)
			out->fail = -ENOMEM;
		set_text(n, key, len, out);
	}
}

static int put_table(struct nft *n, bool own, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(TEXT_MAX);

	mirror_text(n, own, &text);
	return buf_err(&text) ? err_nomem(e) : nft_run(n, buf_str(&text), e);
}

int nft_repair(struct nft *n, struct err *e)
{
	int r = -EOPNOTSUPP;

	/* whether kernel and library know owned tables that persist they say when asked for one */
	if (n->owned != OWNED_NO)
		r = put_table(n, true, n->owned == OWNED_YES ? e : NULL);
	if (r >= 0)
		n->owned = OWNED_YES;
	else if (n->owned != OWNED_YES && (r = put_table(n, false, e)) >= 0)
		n->owned = OWNED_NO;
	if (r >= 0 && (r = nft_learn(n)) < 0)
		return err_sys(e, -r, "cannot read the firewall table back");
	return r;
}

int nft_replace(struct nft_tx *tx, struct err *e)
{
	struct nft *n = tx->nft;
	struct map *old = n->mirror;
	size_t guards = n->guards;
	int r = tx->fail < 0 ? err_nomem(e) : map_new(&n->mirror);

	n->guards = 0;
	if (r >= 0)
		r = mirror_take(tx, e);
	if (r >= 0)
		r = nft_repair(n, e);
	if (r < 0) {
		if (n->mirror != old)
			map_free(n->mirror);
		n->mirror = old;
		n->guards = guards;
		return r;
	}
	if (!n->guards) /* of a life before */
		(void)nft_run(n, "delete table bridge " TABLE "\n", NULL);
	map_free(old);
	tx_clear(tx);
	return 0;
}

int nft_delete(struct nft *n)
{
	struct map *empty;
	int r = map_new(&empty);

	if (r < 0)
		return r;
	/* "destroy" where it is known: it takes an owned table, too */
	r = nft_run(n, "destroy table inet " TABLE "\n", NULL);
	if (r < 0)
		r = nft_run(n, "table inet " TABLE "\ndelete table inet " TABLE "\n", NULL);
	if (r < 0) {
		map_free(empty);
		return r;
	}
	(void)nft_run(n, "delete table bridge " TABLE "\n", NULL);
	map_free(n->mirror);
	n->mirror = empty;
	n->guards = 0;
	n->chains = 0;
	n->pass = NFT_PASS_NONE;
	return 0;
}

/* @before: what precedes the table. A struct nft of its own: it lives in this namespace alone. */
static int dns_table(const char *before, uint16_t port, struct err *e)
{
	struct nft here = {0};
	auto_free char *text =
		str_printf("%stable ip atoll_dns {\n"
			   " chain out {\n"
			   "  type filter hook output priority -300; policy accept;\n"
			   "  ip daddr 127.0.0.11 udp dport 53 udp dport set %u\n"
			   "  ip daddr 127.0.0.11 tcp dport 53 tcp dport set %u\n"
			   "  ip saddr 127.0.0.11 udp sport %u udp sport set 53\n"
			   "  ip saddr 127.0.0.11 tcp sport %u tcp sport set 53\n"
			   " }\n}\n",
			   before, port, port, port, port);
	int r = text ? nft_run(&here, text, e) : err_nomem(e);

	(void)context_free(here.ctx);
	return r;
}

int nft_dns_redirect(uint16_t port, struct err *e)
{
	/* deleting a table, even one that is not there yet, makes the close of the socket wait for
	 * the kernel to have freed it (5 ms): only where there is one */
	if (dns_table("create table ip atoll_dns\n", port, NULL) >= 0)
		return 0;
	return dns_table("table ip atoll_dns\ndelete table ip atoll_dns\n", port, e);
}
