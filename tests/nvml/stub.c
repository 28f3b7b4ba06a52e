/* A libnvidia-ml.so.1 for tests: the calls that the daemon makes, answered from the file that
 * $NVML_STUB_FILE names. It is read anew at each call, so that a test can change the card while it runs.
 *
 * Lines of the file:
 *   init N            what nvmlInit answers (an nvmlReturn_t), 0 by default
 *   count N           how many GPUs there are, 1 by default
 *   fail NAME N       what the call of that name answers instead
 *   name TEXT
 *   total MB, used MB, reserved MB      (MB are 2^20 bytes)
 *   utilisation N, temperature N, power MILLIWATTS, limit MILLIWATTS
 *   compute PID MB, graphics PID MB     a process; MB -1 is "not available"
 *   sleep MILLISECONDS                  how long the memory's figures take
 *
 * A session goes bad with the first GPU_IS_LOST, as with the real library: its handles answer
 * GPU_IS_LOST until nvmlShutdown and nvmlInit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int Return;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned int gpu, memory; } Utilization;
typedef struct { unsigned int pid; unsigned long long used; unsigned int instance, compute; } Process;

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, INSUFFICIENT_SIZE = 7, GPU_IS_LOST = 15 };
enum { MOST = 32 };

typedef struct {
    int init, count, sleep;
    char name[96];
    unsigned long long total, used, reserved;
    unsigned int utilisation, temperature, power, limit;
    char failing[MOST][64];
    int with[MOST], failures;
    Process compute[MOST], graphics[MOST];
    unsigned int computes, graphicses;
} Card;

static int sessions, bad;

static void add(Process *list, unsigned int *n, unsigned int pid, long long mb) {
    if (*n >= MOST) return;
    Process process = {pid, mb < 0 ? ~0ULL : (unsigned long long)mb << 20, ~0u, ~0u};
    list[(*n)++] = process;
}

static Card card(void) {
    Card c;
    memset(&c, 0, sizeof c);
    c.count = 1;
    strcpy(c.name, "Stub");
    const char *path = getenv("NVML_STUB_FILE");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[256], text[96];
    long long mb;
    int n;
    unsigned int pid;
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "init %d", &n) == 1) c.init = n;
        else if (sscanf(line, "count %d", &n) == 1) c.count = n;
        else if (sscanf(line, "sleep %d", &n) == 1) c.sleep = n;
        else if (sscanf(line, "name %95[^\n]", text) == 1) strcpy(c.name, text);
        else if (sscanf(line, "total %lld", &mb) == 1) c.total = (unsigned long long)mb << 20;
        else if (sscanf(line, "used %lld", &mb) == 1) c.used = (unsigned long long)mb << 20;
        else if (sscanf(line, "reserved %lld", &mb) == 1) c.reserved = (unsigned long long)mb << 20;
        else if (sscanf(line, "utilisation %u", &pid) == 1) c.utilisation = pid;
        else if (sscanf(line, "temperature %u", &pid) == 1) c.temperature = pid;
        else if (sscanf(line, "power %u", &pid) == 1) c.power = pid;
        else if (sscanf(line, "limit %u", &pid) == 1) c.limit = pid;
        else if (sscanf(line, "compute %u %lld", &pid, &mb) == 2) add(c.compute, &c.computes, pid, mb);
        else if (sscanf(line, "graphics %u %lld", &pid, &mb) == 2) add(c.graphics, &c.graphicses, pid, mb);
        else if (c.failures < MOST && sscanf(line, "fail %63s %d", c.failing[c.failures], &n) == 2)
            c.with[c.failures++] = n;
    }
    if (file) fclose(file);
    return c;
}

/* What a call answers before it does its work. */
static Return check(const Card *c, const char *call) {
    if (!sessions) return UNINITIALIZED;
    if (bad) return GPU_IS_LOST;
    for (int i = 0; i < c->failures; i++)
        if (!strcmp(c->failing[i], call)) {
            bad = c->with[i] == GPU_IS_LOST;
            return c->with[i];
        }
    return SUCCESS;
}

#define BEGIN                              \
    Card c = card();                       \
    Return answer = check(&c, __func__);   \
    (void)device;                          \
    if (answer) return answer

Return nvmlInitWithFlags(unsigned int flags) {
    (void)flags;
    int answer = card().init;
    if (!answer) sessions++;
    return answer;
}

Return nvmlShutdown(void) {
    if (!sessions) return UNINITIALIZED;
    if (!--sessions) bad = 0;
    return SUCCESS;
}

const char *nvmlErrorString(Return answer) {
    static char text[32];
    snprintf(text, sizeof text, "stub error %d", answer);
    return text;
}

Return nvmlSystemGetDriverVersion(char *text, unsigned int length) {
    if (!sessions) return UNINITIALIZED;
    snprintf(text, length, "000.00");
    return SUCCESS;
}

Return nvmlDeviceGetCount_v2(unsigned int *count) {
    void *device = NULL;
    BEGIN;
    *count = (unsigned int)c.count;
    return SUCCESS;
}

Return nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **handle) {
    void *device = NULL;
    BEGIN;
    if ((int)index >= c.count) return INVALID_ARGUMENT;
    *handle = &sessions;
    return SUCCESS;
}

Return nvmlDeviceGetName(void *device, char *text, unsigned int length) {
    BEGIN;
    snprintf(text, length, "%s", c.name);
    return SUCCESS;
}

/* The first version of the call counts the driver's own share as used, and as not free. */
Return nvmlDeviceGetMemoryInfo(void *device, Memory *memory) {
    BEGIN;
    struct timespec pause = {c.sleep / 1000, (c.sleep % 1000) * 1000000L};
    if (c.sleep) nanosleep(&pause, NULL);
    memory->total = c.total;
    memory->used = c.used + c.reserved;
    memory->free = c.total - memory->used;
    return SUCCESS;
}

Return nvmlDeviceGetUtilizationRates(void *device, Utilization *rates) {
    BEGIN;
    rates->gpu = c.utilisation;
    rates->memory = 0;
    return SUCCESS;
}

Return nvmlDeviceGetTemperature(void *device, int sensor, unsigned int *degrees) {
    (void)sensor;
    BEGIN;
    *degrees = c.temperature;
    return SUCCESS;
}

Return nvmlDeviceGetPowerUsage(void *device, unsigned int *milliwatts) {
    BEGIN;
    *milliwatts = c.power;
    return SUCCESS;
}

Return nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned int *milliwatts) {
    BEGIN;
    *milliwatts = c.limit;
    return SUCCESS;
}

static Return list(const Process *from, unsigned int n, unsigned int *count, Process *to) {
    unsigned int room = *count;
    *count = n;
    if (n > room) return INSUFFICIENT_SIZE;
    if (n) memcpy(to, from, n * sizeof *from);
    return SUCCESS;
}

Return nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned int *count, Process *to) {
    BEGIN;
    return list(c.compute, c.computes, count, to);
}

Return nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned int *count, Process *to) {
    BEGIN;
    return list(c.graphics, c.graphicses, count, to);
}
