/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.c - container names: the rule, and names for those who do not care */

#include <ctype.h>
#include <string.h>

#include "base/limits.h"
#include "base/rand.h"
#include "base/str.h"
#include "engine/internal.h"

int name_check(const char *name, struct err *e)
{
	size_t len = strlen(name);
	bool ok = len >= 2 && len <= LIMIT_NAME && isalnum((unsigned char)name[0]);

	for (size_t i = 1; ok && i < len; i++)
		ok = isalnum((unsigned char)name[i]) || strchr("_.-", name[i]);
	if (!ok)
		return err_invalid(
			e,
			"Invalid container name (%.*s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
			LIMIT_NAME, name);
	return 0;
}

static const char *const moods[] = {
	"amber",  "brisk", "calm",  "clear",  "coral", "crisp",	 "deft",   "eager", "early",
	"fair",	  "fleet", "fresh", "gentle", "glad",  "golden", "grand",  "green", "happy",
	"hardy",  "keen",  "light", "lively", "lucid", "lucky",	 "mellow", "merry", "mild",
	"neat",	  "noble", "open",  "proud",  "quick", "quiet",	 "rapid",  "ready", "sharp",
	"silent", "smart", "solid", "steady", "sunny", "swift",	 "tidal",  "vivid", "warm",
	"wide",	  "windy", "wise",  "young",  "zesty",
};

/* Islands, reefs and what lives there: this is an atoll. */
static const char *const places[] = {
	"abalone", "albatross", "anemone",    "barnacle", "bikini",   "booby",	  "breaker",
	"cay",	   "chagos",	"clam",	      "cockle",	  "conch",    "cove",	  "cowrie",
	"current", "dolphin",	"dune",	      "fakarava", "frigate",  "funafuti", "grouper",
	"heron",   "islet",	"kelp",	      "kingfish", "kiribati", "lagoon",	  "limpet",
	"majuro",  "manta",	"mantis",     "marlin",	  "motu",     "nautilus", "nukuoro",
	"octopus", "palmyra",	"parrotfish", "pearl",	  "pelican",  "petrel",	  "pitcairn",
	"plover",  "rangiroa",	"reef",	      "remora",	  "sandbar",  "seagrass", "shoal",
	"sponge",  "starfish",	"surf",	      "tarawa",	  "tern",     "tide",	  "tokelau",
	"turtle",  "tuvalu",	"urchin",     "wake",	  "wrasse",
};

char *name_random(struct engine *en)
{
	for (unsigned tries = 0; tries < 1000; tries++) {
		char *s = str_printf("%s_%s", moods[rand_below(ARRAY_SIZE(moods))],
				     places[rand_below(ARRAY_SIZE(places))]);

		if (s && tries > 5) { /* the short ones are getting rare */
			char *longer = str_printf("%s%u", s, rand_below(100000));

			free(s);
			s = longer;
		}
		if (!s || !map_get(en->by_name, s))
			return s;
		free(s);
	}
	return NULL;
}
