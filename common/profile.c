#include "common/profile.h"

const struct profile profile = {
	.ks_local_mt = {
		.fc = 0xfffe,
		.label = "ks_local_device",	/* the octets of TS 33.259's name; the project calls the key Ks_local_MT (W1) */
		.order = { PROFILE_LABEL, PROFILE_BTID, PROFILE_NAF_ID, PROFILE_DEVICE_ID },
	},
	.ks_local_mt_appl = {
		.fc = 0xfffd,
		.label = "ks_local_device_appl",
		.order = { PROFILE_LABEL, PROFILE_APP_ID },
	},
	.reserved = {
		.prefix = "kslocal-",
		.tls = "kslocal-tls",
		.psk_id = "kslocal-psk-id",
		.confirm = "kslocal-confirm",
	},
	.ua = {
		.path = "/keycentre/v1/key-request",
		.state_path = "/keycentre/v1/key-state",
		.media_type = "application/xml",
		.media_type_charset = "application/xml; charset=utf-8",
		.ns = "urn:x-kslocal:ua:1",
		.request = "keyRequest",
		.response = "keyResponse",
		.state = "keyState",
		.error = "keyError",
		.btid = "btid",
		.naf_id = "nafId",
		.device_id = "deviceId",
		.key = "ksLocalDevice",
		.lifetime = "keyLifetime",
		.mt_pseudonym = "mtPseudonym",
		.reason = "reason",
		.text = "text",
		.btid_header = "X-KSLocal-BTID",
		.device_id_header = "X-KSLocal-Device-ID",
	},
	.ua_protocol = { 0x01, 0x00, 0x00, 0x00, 0x02 },	/* HTTP Digest of TS 24.109: what every GBA client knows */
};
