/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base64: RFC 4648's vectors, both alphabets, what is refused */

#include "base/base64.h"

#include "tap.h"

static const struct {
	const char *plain, *text;
} vectors[] = {{"", ""},
	       {"f", "Zg=="},
	       {"fo", "Zm8="},
	       {"foo", "Zm9v"},
	       {"foob", "Zm9vYg=="},
	       {"fooba", "Zm9vYmE="},
	       {"foobar", "Zm9vYmFy"}};
static const char *const bad[] = {"Z", "Zg=a", "Zm9v!", "Zm 9v", "=", "Zg===", "Zm9vYg==x"};

static void vector(const char *plain, const char *text)
{
	auto_buf struct buf out = BUF_INIT(256), back = BUF_INIT(256);

	base64_encode(&out, plain, strlen(plain), false);
	is_str(buf_str(&out), text, "encode \"%s\"", plain);
	is_int(base64_decode(&back, text, strlen(text)), 0, "decode \"%s\"", text);
	is_str(buf_str(&back), plain, "is \"%s\"", plain);
	buf_clear(&back);
	is_int(base64_decode(&back, text, strcspn(text, "=")), 0, "without padding");
	is_str(buf_str(&back), plain, "is the same");
}

int main(void)
{
	auto_buf struct buf url = BUF_INIT(64), both = BUF_INIT(64), full = BUF_INIT(4);

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
		vector(vectors[i].plain, vectors[i].text);
	base64_encode(&url, "\xfb\xff\xfe", 3, true);
	is_str(buf_str(&url), "-__-", "the URL's alphabet");
	is_int(base64_decode(&both, "+_/-", 4), 0, "both alphabets are taken");
	ok(both.len == 3 && !memcmp(both.data, "\xfb\xff\xfe", 3), "as the same bytes");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		is_int(base64_decode(&both, bad[i], strlen(bad[i])), -EINVAL, "refused: %s",
		       bad[i]);
	is_int(base64_decode(&full, "Zm9vYmFy", 8), -ENOBUFS, "the buffer's limit holds");
	return tap_done();
}
