/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls.c - sessions of GnuTLS as wires */

#include "http/tls.h"

#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/log.h"

/* what GnuTLS holds good, but nothing older than TLS 1.2 */
#define PRIORITY     "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define HANDSHAKE_MS 30000
#define PEM_MAX	     (1u << 20)

struct tls {
	gnutls_certificate_credentials_t creds;
	gnutls_priority_t priority;
	bool verify;
	atomic_uint refs; /* its own and its sessions', which may end in a thread of theirs */
};

struct session {
	struct wire wire; /* first */
	struct tls *of;
	gnutls_session_t tls;
	gnutls_typed_vdata_st asked[2]; /* of the peer's certificate */
	bool half_sent;			/* a record waits for its rest to be written */
	bool ending;			/* close_notify likewise */
};

/* ---- certificates ---- */

static int check_key_file(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, errno, "could not read the TLS key %s", path);
	if (!S_ISREG(st.st_mode))
		return err_invalid(e, "the TLS key %s is no file", path);
	if (st.st_mode & 027)
		return err_forbidden(e,
				     "the TLS key %s may be read or changed by others (mode %04o): "
				     "chmod 0600 %s",
				     path, st.st_mode & 07777, path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_forbidden(e, "the TLS key %s belongs to another user (uid %u)", path,
				     st.st_uid);
	return 0;
}

static int read_pem(const char *path, const char *what, struct buf *out, struct err *e)
{
	int r = fs_read(path, PEM_MAX, out);

	return r < 0 ? err_sys(e, -r, "could not read the TLS %s %s", what, path) : 0;
}

static gnutls_datum_t datum(const struct buf *b)
{
	return (gnutls_datum_t){(unsigned char *)b->data, (unsigned)b->len};
}

static int load_pair(struct tls *t, const struct tls_files *f, struct err *e)
{
	auto_buf struct buf cert = BUF_INIT(PEM_MAX), key = BUF_INIT(PEM_MAX);
	gnutls_datum_t c, k;
	int r = check_key_file(f->key, e);

	if (r >= 0)
		r = read_pem(f->cert, "certificate", &cert, e);
	if (r >= 0)
		r = read_pem(f->key, "key", &key, e);
	if (r < 0)
		return r;
	c = datum(&cert);
	k = datum(&key);
	r = gnutls_certificate_set_x509_key_mem(t->creds, &c, &k, GNUTLS_X509_FMT_PEM);
	explicit_bzero(key.data, key.len);
	return r < 0 ? err_invalid(e, "could not load the X509 key pair %s and %s: %s", f->cert,
				   f->key, gnutls_strerror(r))
		     : 0;
}

static int load_ca(struct tls *t, const char *path, struct err *e)
{
	auto_buf struct buf ca = BUF_INIT(PEM_MAX);
	gnutls_datum_t d;
	int r = read_pem(path, "CA certificate", &ca, e);

	if (r < 0)
		return r;
	d = datum(&ca);
	r = gnutls_certificate_set_x509_trust_mem(t->creds, &d, GNUTLS_X509_FMT_PEM);
	if (r > 0)
		return 0;
	return err_invalid(e, "no CA certificate could be read from %s%s%s", path,
			   r < 0 ? ": " : "", r < 0 ? gnutls_strerror(r) : "");
}

void tls_free(struct tls *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) > 1)
		return;
	if (t->creds)
		gnutls_certificate_free_credentials(t->creds);
	if (t->priority)
		gnutls_priority_deinit(t->priority);
	free(t);
}

static struct tls *tls_new(bool verify)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->verify = verify;
	atomic_init(&t->refs, 1);
	if (gnutls_certificate_allocate_credentials(&t->creds) < 0 ||
	    gnutls_priority_init(&t->priority, PRIORITY, NULL) < 0) {
		tls_free(t);
		return NULL;
	}
	return t;
}

int tls_server_new(const struct tls_files *f, bool verify, struct tls **ret, struct err *e)
{
	struct tls *t = tls_new(verify);
	int r = t ? load_pair(t, f, e) : err_nomem(e);

	if (r >= 0 && verify)
		r = load_ca(t, f->ca, e);
	if (r < 0)
		tls_free(t);
	else
		*ret = t;
	return r;
}

int tls_client_new(const struct tls_files *f, bool verify, struct tls **ret, struct err *e)
{
	struct tls *t = tls_new(verify);
	int r = t ? 0 : err_nomem(e);

	if (r >= 0 && f->cert && f->key)
		r = load_pair(t, f, e);
	if (r >= 0 && verify && f->ca)
		r = load_ca(t, f->ca, e);
	else if (r >= 0 && verify && gnutls_certificate_set_x509_system_trust(t->creds) < 0)
		r = err_invalid(e, "there are no CA certificates of the system: name one with "
				   "--tlscacert");
	if (r < 0)
		tls_free(t);
	else
		*ret = t;
	return r;
}

/* ---- the wire ---- */

static ssize_t session_recv(struct wire *w, void *buf, size_t room)
{
	struct session *s = (struct session *)w;
	ssize_t n;

	do
		n = gnutls_record_recv(s->tls, buf, room);
	while (n == GNUTLS_E_INTERRUPTED);
	if (n >= 0)
		return n;
	if (n == GNUTLS_E_AGAIN)
		return -EAGAIN;
	if (n == GNUTLS_E_WARNING_ALERT_RECEIVED)
		return -EAGAIN;
	/* also a renegotiation, which is refused, and an end without close_notify */
	return -ECONNRESET;
}

static ssize_t session_send(struct wire *w, const void *data, size_t len)
{
	struct session *s = (struct session *)w;
	ssize_t n;

	do /* a record that was begun is named by NULL */
		n = s->half_sent ? gnutls_record_send(s->tls, NULL, 0)
				 : gnutls_record_send(s->tls, data, len);
	while (n == GNUTLS_E_INTERRUPTED);
	s->half_sent = n == GNUTLS_E_AGAIN;
	if (n == GNUTLS_E_AGAIN)
		return -EAGAIN;
	return n < 0 ? -ECONNRESET : n;
}

static int session_end(struct wire *w)
{
	struct session *s = (struct session *)w;
	int r;

	do
		r = gnutls_bye(s->tls, GNUTLS_SHUT_WR);
	while (r == GNUTLS_E_INTERRUPTED);
	if (r == GNUTLS_E_AGAIN)
		return -EAGAIN;
	return r < 0 ? -ECONNRESET : 0;
}

static int session_flush(struct wire *w)
{
	(void)w; /* GnuTLS writes alerts and key updates at once */
	return 0;
}

static void session_free(struct wire *w)
{
	struct session *s = (struct session *)w;

	if (s->tls)
		gnutls_deinit(s->tls);
	tls_free(s->of);
	(void)fd_close(w->fd);
	free(s);
}

static const struct wire_ops session_ops = {.recv = session_recv,
					    .send = session_send,
					    .end = session_end,
					    .flush = session_flush,
					    .free = session_free};

static int session_new(struct tls *t, int fd, unsigned flags, struct session **ret)
{
	static const unsigned char http11[] = "http/1.1";
	const gnutls_datum_t alpn = {(unsigned char *)(uintptr_t)http11, sizeof(http11) - 1};
	struct session *s = calloc(1, sizeof(*s));

	if (!s) {
		(void)fd_close(fd);
		return -ENOMEM;
	}
	s->wire = (struct wire){.ops = &session_ops, .fd = fd};
	s->of = t;
	atomic_fetch_add(&t->refs, 1);
	if (gnutls_init(&s->tls, flags | GNUTLS_NO_SIGNAL) < 0 ||
	    gnutls_priority_set(s->tls, t->priority) < 0 ||
	    gnutls_credentials_set(s->tls, GNUTLS_CRD_CERTIFICATE, t->creds) < 0 ||
	    gnutls_alpn_set_protocols(s->tls, &alpn, 1, 0) < 0) {
		session_free(&s->wire);
		return -ENOMEM;
	}
	gnutls_transport_set_int(s->tls, fd);
	*ret = s;
	return 0;
}

int tls_accept(struct tls *t, int fd, struct wire **ret)
{
	struct session *s = NULL;
	int r = session_new(t, fd, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS, &s);

	if (r < 0)
		return r;
	gnutls_certificate_server_set_request(s->tls,
					      t->verify ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
	if (t->verify) {
		s->asked[0] = (gnutls_typed_vdata_st){
			.type = GNUTLS_DT_KEY_PURPOSE_OID,
			.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
		gnutls_session_set_verify_cert2(s->tls, s->asked, 1, 0);
	}
	*ret = &s->wire;
	return 0;
}

/* Why a handshake failed, for people. */
static void explain(gnutls_session_t tls, int code, char *out, size_t room)
{
	unsigned status = gnutls_session_get_verify_cert_status(tls);
	gnutls_datum_t text = {0};

	if (code == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR &&
	    gnutls_certificate_verification_status_print(status, gnutls_certificate_type_get(tls),
							 &text, 0) >= 0)
		(void)snprintf(out, room, "%s", (char *)text.data);
	else if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
		(void)snprintf(out, room, "the other side refused it: %s",
			       gnutls_alert_get_name(gnutls_alert_get(tls)));
	else
		(void)snprintf(out, room, "%s", gnutls_strerror(code));
	gnutls_free(text.data);
}

int tls_handshake(struct wire *w, uint32_t *ret_events, char *why, size_t room)
{
	struct session *s = (struct session *)w;
	int r = gnutls_handshake(s->tls);

	if (r == GNUTLS_E_SUCCESS)
		return 0;
	if (!gnutls_error_is_fatal(r)) {
		*ret_events = gnutls_record_get_direction(s->tls) ? EPOLLOUT : EPOLLIN;
		return -EAGAIN;
	}
	explain(s->tls, r, why, room);
	(void)gnutls_alert_send_appropriate(s->tls, r); /* as far as its socket takes it */
	return -EPROTO;
}

int tls_connect(struct tls *t, int fd, const char *name, struct wire **ret, struct err *e)
{
	struct session *s = NULL;
	char why[512];
	int r = session_new(t, fd, GNUTLS_CLIENT, &s);

	if (r < 0)
		return err_nomem(e);
	if (t->verify)
		gnutls_session_set_verify_cert(s->tls, name, 0);
	if (!strchr(name, ':') && strspn(name, "0123456789.") != strlen(name))
		(void)gnutls_server_name_set(s->tls, GNUTLS_NAME_DNS, name, strlen(name));
	gnutls_handshake_set_timeout(s->tls, HANDSHAKE_MS);
	do
		r = gnutls_handshake(s->tls);
	while (r < 0 && !gnutls_error_is_fatal(r));
	if (r == 0 && fd_nonblock(fd) == 0) {
		*ret = &s->wire;
		return 0;
	}
	explain(s->tls, r, why, sizeof(why));
	(void)gnutls_alert_send_appropriate(s->tls, r);
	if (r == GNUTLS_E_UNEXPECTED_PACKET_LENGTH || r == GNUTLS_E_UNSUPPORTED_VERSION_PACKET ||
	    r == GNUTLS_E_UNEXPECTED_PACKET)
		(void)snprintf(why, sizeof(why),
			       "it does not speak TLS: was the engine started with --tlsverify?");
	session_free(&s->wire);
	return err_set(e, ERR_UNAVAILABLE, EPROTO, "%s", why);
}
