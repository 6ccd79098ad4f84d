/* SPDX-License-Identifier: GPL-2.0-or-later */
/* recipe_format.h - what the writer and the reader of recipes agree on */
#pragma once

#define RECIPE_MAGIC	"atoll-recipe 1\n"
#define RECIPE_RAW_MAX	(64u << 10) /* of one record */
#define RECIPE_PATH_MAX 4096
