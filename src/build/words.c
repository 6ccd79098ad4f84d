/* SPDX-License-Identifier: GPL-2.0-or-later */
/* words.c - the argument forms of instructions: JSON lists, quoted words */

#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "build/dockerfile.h"

int words_json(const char *text, char ***ret, struct err *e)
{
	auto_strv char **words = NULL;
	auto_json json_t *list = NULL;
	json_t *s;
	size_t i;

	while (isspace((unsigned char)*text))
		text++;
	if (*text != '[')
		return 0;
	list = json_loads(text, JSON_ALLOW_NUL, NULL);
	if (!json_is_array(list))
		return 0;
	json_array_foreach(list, i, s)
	{
		if (!json_is_string(s))
			return err_invalid(e, "when using JSON array syntax, arrays must be "
					      "comprised of strings only");
		if (strlen(json_string_value(s)) != json_string_length(s))
			return err_invalid(e, "a word has a NUL character");
		if (strv_add(&words, json_string_value(s)) < 0)
			return err_nomem(e);
	}
	*ret = TAKE_PTR(words);
	return 1;
}

/* the end of the word at @p; a quote that is not closed goes to the end */
static const char *word_end(const char *p, char escape)
{
	char quote = '\0';

	for (; *p; p++) {
		if (*p == escape && quote != '\'') {
			if (!p[1])
				return p + 1;
			p++;
		} else if (quote) {
			if (*p == quote)
				quote = '\0';
		} else if (*p == '"' || *p == '\'') {
			quote = *p;
		} else if (isspace((unsigned char)*p)) {
			return p;
		}
	}
	return p;
}

int words_split(const char *text, char escape, char ***ret, struct err *e)
{
	auto_strv char **words = NULL;

	for (;;) {
		const char *end;

		while (isspace((unsigned char)*text))
			text++;
		if (!*text)
			break;
		end = word_end(text, escape);
		auto_free char *word = strndup(text, (size_t)(end - text));

		if (!word || strv_add(&words, word) < 0)
			return err_nomem(e);
		text = end;
	}
	*ret = TAKE_PTR(words);
	return 0;
}
