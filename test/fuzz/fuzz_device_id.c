/* Property: Device_ID, MT_ID and run id are, when they parse, the text that came: nothing trimmed, nothing folded (W2). */
#include <stdlib.h>

#include "common/device_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };
	struct device_id d;
	struct mt_id m;
	struct run_id r;

	if (device_id_parse(in, &d) == RC_OK && (n == 0 || n > DEVICE_ID_MAX || !span_eq_str(in, d.s)))
		abort();
	if (mt_id_parse(in, &m) == RC_OK && (n != MT_ID_LEN || !span_eq_str(in, m.s) || device_id_parse(in, &d) != RC_OK))
		abort();
	if (run_id_parse(in, &r) == RC_OK && (n == 0 || n > RUN_ID_LEN || !span_eq_str(in, r.s)))
		abort();
	return 0;
}
