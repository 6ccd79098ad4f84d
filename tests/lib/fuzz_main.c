/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_main.c - runs a fuzz target over files and folders given as arguments: the corpus as an
 * ordinary test */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned inputs;

static int one(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t len, room = 1u << 20;
	uint8_t *data = malloc(room);

	if (!f || !data) {
		perror(path);
		exit(1);
	}
	len = fread(data, 1, room, f);
	fclose(f);
	/* an exact allocation, so that the sanitizer sees a read behind the end */
	data = realloc(data, len ? len : 1);
	(void)LLVMFuzzerTestOneInput(data, len);
	free(data);
	inputs++;
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct stat st;
		struct dirent *de;
		char path[4096];
		DIR *d;

		if (stat(argv[i], &st) < 0) {
			perror(argv[i]);
			return 1;
		}
		if (!S_ISDIR(st.st_mode)) {
			(void)one(argv[i]);
			continue;
		}
		d = opendir(argv[i]);
		while (d && (de = readdir(d))) {
			if (de->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], de->d_name);
			(void)one(path);
		}
		if (d)
			closedir(d);
	}
	printf("%u inputs\n", inputs);
	return inputs ? 0 : 1; /* a run over nothing proves nothing */
}
