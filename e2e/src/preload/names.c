/* Preloaded into a process whose names a test serves: names that end in .example lead where the file says that NAMES_FROM names, all others
 * where they always do. A line is a name and its answers, parted by spaces: the first question gets the first answer, and so on; the last
 * one is repeated. An answer is addresses parted by commas. Each question is a line of the file NAMES_ASKED. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*lookup)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* How often this name was asked for before; notes that it is asked for again. */
static int questions(const char *name) {
    char line[300];
    int asked = 0;
    FILE *file = fopen(getenv("NAMES_ASKED"), "a+");
    if (!file) return 0;
    rewind(file);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (strcmp(line, name) == 0) asked++;
    }
    fprintf(file, "%s\n", name);
    fclose(file);
    return asked;
}

static int answer_of(const char *name, int number, char *answer, size_t size) {
    char line[1000];
    int found = 0;
    FILE *file = fopen(getenv("NAMES_FROM"), "r");
    if (!file) return 0;
    while (!found && fgets(line, sizeof line, file)) {
        char *rest, *word = strtok_r(line, " \n", &rest);
        if (!word || strcmp(word, name) != 0) continue;
        while (number-- >= 0 && (word = strtok_r(NULL, " \n", &rest))) {
            snprintf(answer, size, "%s", word);
            found = 1;
        }
    }
    fclose(file);
    return found;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
    lookup real = (lookup)dlsym(RTLD_NEXT, "getaddrinfo");
    size_t length = name ? strlen(name) : 0;
    if (length < 8 || strcmp(name + length - 8, ".example") != 0 || !getenv("NAMES_FROM")) {
        return real(name, service, hints, result);
    }
    char answer[1000];
    pthread_mutex_lock(&turn);
    int known = answer_of(name, questions(name), answer, sizeof answer);
    pthread_mutex_unlock(&turn);
    if (!known) return EAI_NONAME;
    struct addrinfo only = {0}, **end = result;
    if (hints) only = *hints;
    only.ai_flags |= AI_NUMERICHOST;
    *result = NULL;
    char *rest;
    for (char *address = strtok_r(answer, ",", &rest); address; address = strtok_r(NULL, ",", &rest)) {
        if (real(address, service, &only, end) != 0) return EAI_FAIL;
        while (*end) end = &(*end)->ai_next;
    }
    return 0;
}
