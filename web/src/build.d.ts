// What the build says.

/** Whether the pages of the API are built, too. */
declare const HAS_DOCS: boolean
