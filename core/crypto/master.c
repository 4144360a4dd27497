/* master.c: the one secret that the process keeps for its whole life, in a page that is neither dumped nor inherited. */
#include "crypto/master.h"

#include <sys/mman.h>

#include "crypto/kdf.h"

static unsigned char *master; /* owns; NULL until set */

enum st crypto_master_set(const unsigned char key[MASTER_KEY_SIZE])
{
	if (!master) {
		void *page = mmap(
			NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (page == MAP_FAILED)
			return ST_NOMEM;
		/* Best effort: an old kernel knows neither, and the key is still right. */
		(void)madvise(page, 4096, MADV_DONTDUMP);
		(void)madvise(page, 4096, MADV_WIPEONFORK);
		master = page;
	}
	memcpy(master, key, MASTER_KEY_SIZE);
	return ST_OK;
}

bool crypto_master_is_set(void)
{
	return master != NULL;
}

enum st crypto_master_derive(struct slice label, unsigned char out[MASTER_KEY_SIZE])
{
	if (!master)
		return ST_NOTFOUND;
	if (label.n == 0)
		return ST_BAD;
	return kdf_hkdf(slice_of(master, MASTER_KEY_SIZE), SLICE_LIT("tidelock"), label, out);
}
