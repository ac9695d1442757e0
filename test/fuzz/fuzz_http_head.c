/*
 * Property: a head that is let through has one Host, at most one of Content-Length and Transfer-Encoding, a path, and no control
 * character anywhere. Input: method, target, then name and value of headers, each ended by a NUL or the end.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const char *
take(char **at, char *end)
{
	char *s = *at;

	if (s >= end)
		return "";
	*at = s + strlen(s) + 1;
	return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *copy = malloc(n + 1), *at = copy, *end = copy + n, host[64];
	struct http_header h[HTTP_HEADERS_MAX + 1];
	const char *method, *target;
	size_t k = 0, hosts = 0, lengths = 0;

	if (copy == NULL)
		return 0;
	if (n > 0)
		memcpy(copy, p, n);
	copy[n] = '\0';
	method = take(&at, end);
	target = take(&at, end);
	while (at < end && k <= HTTP_HEADERS_MAX) {
		h[k].name = take(&at, end);
		h[k++].value = take(&at, end);
	}
	if (k > 0 && http_host_name(h[0].value, host, sizeof(host)) == RC_OK && (host[0] == '\0' || strlen(host) > strlen(h[0].value)))
		abort();
	if (http_head_check(method, target, h, k) == REASON_NONE) {
		for (size_t i = 0; i < k; i++) {
			hosts += strcasecmp(h[i].name, "host") == 0;
			lengths += strcasecmp(h[i].name, "content-length") == 0 || strcasecmp(h[i].name, "transfer-encoding") == 0;
			if (strpbrk(h[i].value, "\r\n") != NULL || strpbrk(h[i].name, " \t:\r\n") != NULL)
				abort();
		}
		if (hosts != 1 || lengths > 1 || (target[0] != '/' && strcmp(target, "*") != 0) || strpbrk(target, " \r\n\t") != NULL)
			abort();
	}
	free(copy);
	return 0;
}
