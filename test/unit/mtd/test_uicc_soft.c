/* The software reader and its card's durable counters (C1, C4). */
#include "mtd/uicc_soft.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/aka.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/seal.h"
#include "common/store.h"
#include "mtd/card_state.h"
#include "mtd/uicc.h"
#include "test/unit/mtd/card_fixture.h"

static char dir[64], image_path[128], state_path[128], new_path[128], logged[2048];
static json_t *doc;
static struct mt_card_image image;
static struct mt_card *card;

static void
on_line(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	strncat(logged, line, sizeof logged - strlen(logged) - 1);
}

static void
setup(void)
{
	log_capture(on_line, NULL);
	logged[0] = '\0';
	strcpy(dir, "/tmp/kslocal-test-card-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(image_path, sizeof image_path, "%s/card", dir);
	snprintf(state_path, sizeof state_path, "%s/card.state", dir);
	snprintf(new_path, sizeof new_path, "%s/card.state.new", dir);
	doc = vectors_load();
	image = card_image_of_set(doc, 0);
	strcpy(image.pin, "1234");
	card = NULL;
}

static void
teardown(void)
{
	mt_card_free(card);
	mt_card_image_clear(&image);
	json_decref(doc);
	unlink(image_path);
	unlink(state_path);
	rmdir(new_path);
	unlink(new_path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static enum rc
power_on(void)
{
	mt_card_free(card);
	card = NULL;
	return mt_card_new(&image, state_path, rnd_system(), &card);
}

#define SLOT 4096		/* one of the two in the file */
static uint8_t file[2 * SLOT + 1];

static size_t
read_state(void)
{
	FILE *f = fopen(state_path, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(file, 1, sizeof file, f);
	fclose(f);
	return n;
}

static void
write_state(size_t n)
{
	FILE *f = fopen(state_path, "w");

	ck_assert(f != NULL && fwrite(file, 1, n, f) == n);
	fclose(f);
}

#define VERIFY_1234 "002000010831323334ffffffff"
#define VERIFY_0000 "002000010830303030ffffffff"

/* Select, verify, AUTHENTICATE with this SEQ: the answer's tag. */
static const char *
authenticate(uint64_t seq)
{
	static char tag[5];
	static const uint8_t amf[2] = { 0x80, 0 };
	uint8_t rand[16] = { 7 };
	struct aka_vector v;
	char cmd[128], r[33], a[33];

	ck_ok(aka_make(image.k, image.opc, rand, seq << SQN_IND_BITS, amf, &v));
	hex_print((struct span){ v.rand, 16 }, r);
	hex_print((struct span){ v.autn, 16 }, a);
	aka_vector_clear(&v);
	snprintf(cmd, sizeof cmd, "008800812210%s10%s00", r, a);
	ck_sw(card, "00a4040c07a0000000871002", "9000");
	ck_say(card, VERIFY_1234, "9000");
	snprintf(tag, sizeof tag, "%s", card_say(card, cmd));
	return tag;
}

START_TEST(c4_sqn_survives_power_off)
{
	ck_ok(power_on());
	ck_assert_int_eq(access(state_path, F_OK), -1);		/* nothing was changed yet */
	ck_assert_str_eq(authenticate(5), "db08");
	ck_ok(power_on());
	ck_assert_str_eq(authenticate(5), "dc0e");
	ck_assert_str_eq(authenticate(6), "db08");
	ck_ok(power_on());
	ck_assert_str_eq(authenticate(6), "dc0e");
}
END_TEST

/* The answer is there only when the counter is on the disk: a child that is killed right after its answer. */
START_TEST(c4_durable_before_the_answer)
{
	int p[2], status;
	char got[5] = "";
	pid_t pid;

	ck_assert_int_eq(pipe(p), 0);
	if ((pid = fork()) == 0) {
		const char *tag = power_on() == RC_OK ? authenticate(9) : "none";

		if (write(p[1], tag, 4) != 4)
			_exit(1);
		raise(SIGKILL);
	}
	ck_assert_int_eq(read(p[0], got, 4), 4);
	waitpid(pid, &status, 0);
	ck_assert(WIFSIGNALED(status));
	ck_assert_str_eq(got, "db08");
	ck_ok(power_on());
	ck_assert_str_eq(authenticate(9), "dc0e");
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(c4_pin_tries_survive_power_off)
{
	ck_ok(power_on());
	ck_say(card, VERIFY_0000, "63c2");
	ck_ok(power_on());
	ck_say(card, VERIFY_0000, "63c1");
	ck_ok(power_on());
	ck_say(card, VERIFY_0000, "6983");
	ck_ok(power_on());
	ck_say(card, VERIFY_1234, "6983");
}
END_TEST

START_TEST(c4_state_is_sealed_and_private)
{
	struct stat st;
	size_t n;

	ck_ok(power_on());
	ck_assert_str_eq(authenticate(5), "db08");
	ck_assert_int_eq(stat(state_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(access(new_path, F_OK), -1);
	n = read_state();
	ck_assert_uint_eq(n, 2 * SLOT);
	for (size_t i = 0; i + 16 <= n; i++) {
		ck_assert(memcmp(file + i, secret_span(image.k).p, 16) != 0);
		ck_assert(memcmp(file + i, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16) != 0);	/* the empty slots of the array */
	}
	/* one octet of each slot changed */
	file[SLOT / 2] ^= 1;
	file[SLOT + SLOT / 2] ^= 1;
	write_state(n);
	ck_rc(power_on(), RC_DENIED);
	ck_assert_ptr_nonnull(strstr(logged, state_path));
	/* cut short, and empty */
	ck_assert_int_eq(truncate(state_path, (off_t)n - 1), 0);
	ck_rc(power_on(), RC_DENIED);
	ck_assert_int_eq(truncate(state_path, 0), 0);
	ck_rc(power_on(), RC_DENIED);
}
END_TEST

/* Power is lost in the middle of a save: whichever slot it was, what had been told before is there. */
START_TEST(c4_a_write_cut_short)
{
	static uint8_t before[2 * SLOT];
	size_t n;

	ck_ok(power_on());
	ck_assert_str_eq(authenticate(10), "db08");
	for (uint64_t seq = 11; seq < 15; seq++) {
		n = read_state();
		memcpy(before, file, n);
		ck_assert_str_eq(authenticate(seq), "db08");
		read_state();
		/* half of what changed has reached the disk */
		for (size_t i = 0, changed = 0; i < n; i++)
			if (file[i] != before[i] && changed++ > SLOT / 2)
				file[i] = before[i];
		write_state(n);
		ck_ok(power_on());
		ck_assert_ptr_nonnull(strstr(logged, "half of it does not open"));
		ck_assert_str_eq(authenticate(seq - 1), "dc0e");
		ck_assert_str_eq(authenticate(seq), "db08");
		ck_ok(power_on());
		ck_assert_str_eq(authenticate(seq), "dc0e");
	}
}
END_TEST

/* A save writes one slot, in turn, and nothing of the other: to the disk that is one write to blocks that are there. */
START_TEST(c4_slots_are_written_in_turn)
{
	static uint8_t before[2 * SLOT];
	struct stat was, is;
	bool second, expected = false;

	ck_ok(power_on());
	for (uint64_t seq = 10; seq < 16; seq++) {
		ck_assert_int_eq(seq == 10 || stat(state_path, &was) == 0, 1);
		memcpy(before, file, sizeof before);
		ck_assert_str_eq(authenticate(seq), "db08");
		ck_assert_uint_eq(read_state(), sizeof before);
		ck_assert_int_eq(stat(state_path, &is), 0);
		if (seq > 10) {
			ck_assert(was.st_ino == is.st_ino && was.st_blocks == is.st_blocks);
			second = memcmp(before, file, SLOT) == 0;
			ck_assert(second || memcmp(before + SLOT, file + SLOT, SLOT) == 0);
			ck_assert_int_eq(second, seq == 11 ? second : expected);
			expected = !second;
		}
	}
}
END_TEST

/* Before there were slots the file was one sealed value. */
START_TEST(c4_an_earlier_file_is_read)
{
	static const char id[] = "kslocal card89441000309999999999", label[] = "kslocal card state";
	static const struct seal_place place = { "card", "state", { NULL, 0 } };
	struct span k = secret_span(image.k);
	struct mt_card_state s;
	struct secret *key, *inside;
	struct seal *seal;
	uint8_t hash[32], plain[MT_CARD_STATE_MAX];
	size_t n;

	ck_assert_str_eq(image.iccid.s, id + strlen("kslocal card"));
	mt_card_state_init(&s);
	s.pin_tries = 2;
	s.sqn.seq[0] = 20;
	n = mt_card_state_print(&s, plain);
	ck_ok(secret_from((struct span){ plain, n }, &inside));
	ck_ok(secret_new(32, &key));
	ck_assert_int_eq(EVP_Digest(id, strlen(id), hash, NULL, EVP_sha256(), NULL), 1);
	ck_assert_ptr_nonnull(HMAC(EVP_sha256(), k.p, (int)k.n, (const uint8_t *)label, strlen(label), secret_bytes(key), NULL));
	ck_ok(seal_new(key, hash, rnd_system(), &seal));
	ck_ok(seal_put(seal, &place, inside, file, sizeof file, &n));
	write_state(n);
	ck_ok(power_on());
	ck_say(card, "00200001", "63c2");
	ck_assert_uint_eq(read_state(), n);
	ck_assert_str_eq(authenticate(20), "dc0e");
	ck_assert_str_eq(authenticate(21), "db08");
	ck_assert_uint_eq(read_state(), 2 * SLOT);
	ck_ok(power_on());
	ck_assert_str_eq(authenticate(21), "dc0e");
	ck_assert_str_eq(authenticate(22), "db08");
	seal_free(seal);
	secret_free(key);
	secret_free(inside);
}
END_TEST

START_TEST(c4_another_card_s_state_is_refused)
{
	ck_ok(power_on());
	ck_assert_str_eq(authenticate(5), "db08");
	secret_bytes(image.k)[0] ^= 1;
	ck_rc(power_on(), RC_DENIED);
	secret_bytes(image.k)[0] ^= 1;
	image.iccid.s[18] ^= 1;
	ck_rc(power_on(), RC_DENIED);
	image.iccid.s[18] ^= 1;
	ck_ok(power_on());
}
END_TEST

/* What cannot be kept is not answered, and did not happen. */
START_TEST(c4_a_disk_that_refuses)
{
	for (uint64_t seq = 5; seq < 8; seq++) {
		ck_ok(power_on());
		if (seq == 5)
			ck_assert_int_eq(mkdir(new_path, 0700), 0);	/* stands where the file would be made */
		else
			card_disk_full(state_path);
		ck_assert_str_eq(authenticate(seq), "6581");
		ck_say(card, VERIFY_0000, "6581");
		ck_say(card, "00200001", "63c3");
		if (seq == 5)
			ck_assert_int_eq(rmdir(new_path), 0);
		else
			card_disk_again();
		ck_assert_str_eq(authenticate(seq), "db08");
	}
}
END_TEST

START_TEST(c4_nowhere_to_keep_it)
{
	static char longest[5000];

	snprintf(state_path, sizeof state_path, "%s/none/card.state", dir);
	ck_rc(power_on(), RC_IO);
	memset(longest, 'a', sizeof longest - 1);
	ck_rc(mt_card_new(&image, longest, rnd_system(), &card), RC_RANGE);
	ck_assert_ptr_null(card);
	snprintf(state_path, sizeof state_path, "%s/card.state", dir);
}
END_TEST

START_TEST(state_inside)
{
	uint8_t out[MT_CARD_STATE_MAX + 8];
	struct mt_card_state s = { .pin_tries = 2 }, back;
	size_t n;

	s.sqn.seq[0] = SQN_SEQ_MAX;
	s.sqn.seq[31] = 1;
	n = mt_card_state_print(&s, out);
	ck_ok(mt_card_state_parse((struct span){ out, n }, &back));
	ck_assert(back.pin_tries == 2 && memcmp(&back.sqn, &s.sqn, sizeof s.sqn) == 0);
	memcpy(out + n, "\x9f\x01\x01\xff", 4);			/* of a later version: passed over */
	ck_ok(mt_card_state_parse((struct span){ out, n + 4 }, &back));
	untouched_fill(&back, sizeof back);
	ck_rc(mt_card_state_parse((struct span){ out, n + 3 }, &back), RC_SYNTAX);
	ck_rc(mt_card_state_parse((struct span){ out, n - 1 }, &back), RC_SYNTAX);
	ck_rc(mt_card_state_parse((struct span){ out, 3 }, &back), RC_SYNTAX);
	ck_rc(mt_card_state_parse((struct span){ out + 3, n - 3 }, &back), RC_SYNTAX);
	ck_rc(mt_card_state_parse((struct span){ NULL, 0 }, &back), RC_SYNTAX);
	out[2] = 4;
	ck_rc(mt_card_state_parse((struct span){ out, n }, &back), RC_SYNTAX);
	out[2] = 3;
	out[7] = 0xff;						/* SEQ above 43 bits */
	ck_rc(mt_card_state_parse((struct span){ out, n }, &back), RC_SYNTAX);
	ck_assert(untouched(&back, sizeof back));
}
END_TEST

/* --- the reader */

static void
write_image(const char *text, mode_t mode)
{
	FILE *f = fopen(image_path, "w");

	ck_assert(f != NULL && fputs(text, f) >= 0);
	fclose(f);
	ck_assert_int_eq(chmod(image_path, mode), 0);
}

#define IMAGE "iccid = \"89441000309999999999\"\nimsi = \"234150999999999\"\nk = \"465b5ce8b199b49faa5f0a2ee238a6bc\"\n" \
	"opc = \"cd63cb71954a9f4e48a5994e37a02baf\"\n"

static char events[16];
static void
on_card(void *arg, bool in)
{
	(void)arg;
	strcat(events, in ? "i" : "o");
}

START_TEST(c1_insert_and_eject)
{
	struct clock *clk;
	struct mt_uicc *u;

	events[0] = '\0';
	ck_ok(clock_new_virtual(0, &clk));
	ck_ok(mt_uicc_soft_new(clk, rnd_system(), &u));
	mt_uicc_listen(u, on_card, NULL);
	mt_uicc_soft_eject(u);
	clock_advance(clk, 0);
	ck_assert_str_eq(events, "");			/* absent at start = removed: nothing to tell */
	ck_assert(!mt_uicc_present(u));
	ck_rc(mt_uicc_soft_insert(u, image_path), RC_NOTFOUND);
	write_image(IMAGE, 0644);
	ck_rc(mt_uicc_soft_insert(u, image_path), RC_DENIED);
	write_image("iccid = 1\n", 0600);
	ck_rc(mt_uicc_soft_insert(u, image_path), RC_SYNTAX);
	clock_advance(clk, 0);
	ck_assert_str_eq(events, "");
	write_image(IMAGE, 0600);
	ck_ok(mt_uicc_soft_insert(u, image_path));
	ck_rc(mt_uicc_soft_insert(u, image_path), RC_EXISTS);
	ck_rc(mt_uicc_soft_insert_image(u, &image, NULL), RC_EXISTS);
	clock_advance(clk, 0);
	mt_uicc_soft_eject(u);
	clock_advance(clk, 0);
	ck_ok(mt_uicc_soft_insert(u, image_path));
	clock_advance(clk, 0);
	ck_assert_str_eq(events, "ioi");
	ck_assert_ptr_null(strstr(logged, "465b5ce8"));
	mt_uicc_free(u);
	clock_free(clk);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("uicc_soft");
	TCase *t = tcase_create("C4");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, c4_sqn_survives_power_off);
	tcase_add_test(t, c4_durable_before_the_answer);
	tcase_add_test(t, c4_pin_tries_survive_power_off);
	tcase_add_test(t, c4_state_is_sealed_and_private);
	tcase_add_test(t, c4_a_write_cut_short);
	tcase_add_test(t, c4_slots_are_written_in_turn);
	tcase_add_test(t, c4_an_earlier_file_is_read);
	tcase_add_test(t, c4_another_card_s_state_is_refused);
	tcase_add_test(t, c4_a_disk_that_refuses);
	tcase_add_test(t, c4_nowhere_to_keep_it);
	tcase_add_test(t, state_inside);
	tcase_add_test(t, c1_insert_and_eject);
	suite_add_tcase(s, t);
	return unit_run(s);
}
