// Made by api.mjs. Not to be changed by hand.
export interface paths {
    "/v1/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["listFiles"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/files/{file_id}/info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["getFileInfo"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/files/{file_id}/cost": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["getFileCost"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/files/token": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: operations["mintStreamToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        AudioInfo: {
            /** Format: int64 */
            bitrate: number | null;
            channel_layout: string | null;
            /** Format: int32 */
            channels: number;
            codec: string;
            /** @description AAC-LC of one or two channels that can be cut as it is. */
            copyable: boolean;
            default: boolean;
            /** Format: int64 */
            duration_ms: number | null;
            /** @description BCP 47 or ISO 639-2 as the container gives it; `None` for `und`. */
            language: string | null;
            /** Format: int32 */
            profile: number | null;
            profile_name: string | null;
            /** Format: int32 */
            sample_rate: number;
            /** Format: int32 */
            stream: number;
        };
        ChapterInfo: {
            /** Format: int64 */
            end_ms: number;
            /** Format: int64 */
            start_ms: number;
            title: string | null;
        };
        /** @description Why a file or a job failed, for programs (`code`) and for people (`message`). */
        Failure: {
            /** @description Stable, snake_case; listed in `docs/errors.md`. */
            code: string;
            /** @description One sentence that tells the user what to do. */
            message: string;
            /** @description Whether another run with the same source could succeed. */
            retryable: boolean;
        };
        /** @description A file, and all that is made from it. */
        File: {
            /** @description By its content. */
            content_type: string;
            created_at: components["schemas"]["Timestamp"];
            expires_at: components["schemas"]["Timestamp"] | null;
            failure: components["schemas"]["Failure"] | null;
            /** @description As it was uploaded, or renamed since. */
            filename: string;
            id: components["schemas"]["FileId"];
            kind: components["schemas"]["FileKind"];
            /** @description A stable name within the organisation. */
            location: string;
            media: components["schemas"]["MediaInfo"] | null;
            metadata: {
                [key: string]: string;
            };
            owner_id: components["schemas"]["UserId"];
            /**
             * Format: double
             * @description 0.0 to 1.0, which is when every planned rendition is published or refused.
             */
            progress: number;
            ready_at: components["schemas"]["Timestamp"] | null;
            renditions: components["schemas"]["Rendition"][];
            /** @description Unknown while the upload goes on. */
            sha256: string | null;
            /** Format: int64 */
            size_bytes: number;
            state: components["schemas"]["FileState"];
            tags: string[];
            trashed_at: components["schemas"]["Timestamp"] | null;
            updated_at: components["schemas"]["Timestamp"];
        };
        /** @description What a file takes and has taken. */
        FileCost: {
            /**
             * Format: int64
             * @description Of these for what was made because the file was watched.
             */
            earned_worker_ms: number;
            renditions: components["schemas"]["RenditionCost"][];
            /** Format: int64 */
            source_bytes: number;
            /**
             * Format: int64
             * @description The source and all renditions.
             */
            stored_bytes: number;
            views: components["schemas"]["FileViews"];
            /**
             * Format: int64
             * @description How long attempts have taken that are over, those that failed and those for renditions that were dropped included.
             */
            worker_ms: number;
        };
        /**
         * Format: uuid
         * @description One upload and all that is made from it.
         */
        FileId: string;
        /** @enum {string} */
        FileKind: "video" | "audio" | "image" | "other";
        /** @description Files, in the order that was asked for. */
        FilePage: {
            files: components["schemas"]["File"][];
            /** @description `cursor` of the page that follows; `null` at the end. */
            next: string | null;
        };
        /** @enum {string} */
        FileState: "uploading" | "staged" | "processing" | "ready" | "failed";
        /** @description How often a file is watched. Nothing is counted unless something can be earned. */
        FileViews: {
            /** Format: int64 */
            total: number;
            /**
             * Format: int64
             * @description Within the last `window_ms`.
             */
            window: number;
            /** Format: int64 */
            window_ms: number;
        };
        /**
         * @description What kind of high dynamic range.
         * @enum {string}
         */
        HdrKind: "hdr10" | "hlg" | "dolby_vision";
        /**
         * @description A probed source. Times are milliseconds of presentation, edit lists applied. Rows written by older builds lack the fields
         *     that were added since, so each of those has a default.
         */
        MediaInfo: {
            audio: components["schemas"]["AudioInfo"][];
            /**
             * Format: int64
             * @description Bits per second of the whole file.
             */
            bitrate: number;
            chapters: components["schemas"]["ChapterInfo"][];
            /** @description libav's short name of the container, its first alternative (`mov`, `matroska`, `mpegts`). */
            container: string;
            /** Format: int64 */
            duration_ms: number;
            /** @description Whether `moov` lies before the media; `None` where there is no such box. */
            moov_in_front: boolean | null;
            /** @description Why the source is not web-safe or not segment-safe; empty when it is both. */
            reasons: components["schemas"]["Reason"][];
            /** @description May be cut into HLS and DASH segments as it is (design section 2). */
            segment_safe: boolean;
            subtitles: components["schemas"]["SubtitleInfo"][];
            video: components["schemas"]["VideoInfo"] | null;
            /** @description What is wrong with the source although something can be made of it. */
            warnings: components["schemas"]["Reason"][];
            /** @description Plays progressively in every browser as it is (design section 2). */
            web_safe: boolean;
        };
        /** @description A fact that keeps a source from being used as it is, or that people should know. */
        Reason: {
            /** @description Stable, snake_case. */
            code: string;
            /** @description One sentence for people. */
            message: string;
        };
        /** @description One finished output of a file. */
        Rendition: {
            /** @description By a person, who can remove them. */
            added?: boolean;
            /**
             * Format: int64
             * @description Bits per second.
             */
            bitrate: number | null;
            /** @description As RFC 6381 writes them. */
            codecs: string | null;
            content_type: string;
            /** @description Shown unless the viewer chooses otherwise. */
            default?: boolean;
            /** Format: int32 */
            height: number | null;
            kind: components["schemas"]["RenditionKind"];
            /** @description For people. */
            label?: string | null;
            /** @description Of captions alone, as are the three below: a tag of BCP 47, `und` when nobody has said. */
            language?: string;
            /** @description As `rendition` names it. */
            name: string;
            /** Format: int64 */
            size_bytes: number;
            /** @description A path; the client adds its token. */
            url: string;
            /** Format: int32 */
            width: number | null;
        };
        /** @description What a rendition takes. */
        RenditionCost: {
            /**
             * Format: int64
             * @description Beside the source, whose bytes it may show.
             */
            bytes: number;
            /** @description It was made because the file was watched, and goes when nobody is shown it any more. */
            earned: boolean;
            kind: components["schemas"]["RenditionKind"];
            last_used_at: components["schemas"]["Timestamp"] | null;
            name: string;
        };
        /** @enum {string} */
        RenditionKind: "video" | "audio" | "poster" | "storyboard" | "captions" | "preview" | "waveform";
        /** @enum {string} */
        Scope: "play" | "source" | "image" | "events";
        ScopeList: components["schemas"]["Scope"][];
        /** @description A list of scopes, or their names with spaces between them. */
        ScopeWish: components["schemas"]["ScopeList"] | components["schemas"]["ScopeWords"];
        ScopeWords: string;
        /** @description A stream token. */
        StreamToken: {
            expires_at: components["schemas"]["Timestamp"];
            /**
             * Format: int64
             * @description Seconds.
             */
            expires_in: number;
            /** @description For `?token=`. */
            token: string;
            /** @description `bearer` */
            token_type: string;
        };
        /** @description What a stream token may be narrowed to, as the document tells it; `Wish::parse` reads it. */
        StreamTokenWish: {
            /** @description Only these files. */
            file_ids?: components["schemas"]["FileId"][] | null;
            scope?: components["schemas"]["ScopeWish"] | null;
        };
        SubtitleInfo: {
            codec: string;
            default: boolean;
            /** Format: int64 */
            duration_ms: number | null;
            /** @description Shown also to those who want no subtitles: signs, foreign speech. */
            forced: boolean;
            language: string | null;
            /** Format: int32 */
            stream: number;
            /** @description Whether the track is text, so that it could become WebVTT. */
            text: boolean;
        };
        /**
         * Format: date-time
         * @description Milliseconds since 1970-01-01T00:00:00Z.
         */
        Timestamp: string;
        /** @description The person or service that uploaded a file (claim `sub`). */
        UserId: string;
        VideoInfo: {
            /** @description Average frames per second as a fraction. */
            average_frame_rate: [
                number,
                number
            ];
            /** Format: int32 */
            bit_depth: number;
            /** Format: int64 */
            bitrate: number | null;
            /** @description `4:2:0`, `4:2:2`, `4:4:4`, or `4:0:0`. */
            chroma: string;
            /** @description libav's codec name (`h264`, `hevc`, `vp9`). */
            codec: string;
            /** Format: int32 */
            coded_height: number;
            /**
             * Format: int32
             * @description Coded pixels before rotation and pixel aspect.
             */
            coded_width: number;
            color_primaries: string | null;
            color_space: string | null;
            color_transfer: string | null;
            /** @description Nothing that is known speaks against putting the packets into an MP4 that can be cut. */
            copyable: boolean;
            /**
             * Format: int32
             * @description As the container's configuration says it, e.g. 5, 7 or 8.
             */
            dolby_vision_profile: number | null;
            /** Format: int64 */
            duration_ms: number | null;
            /** @description `progressive`, or which field is coded and which is shown first (`tt`, `bb`, `tb`, `bt`); `None` when unknown. */
            field_order: string | null;
            /** @description Nominal frames per second as a fraction (`r_frame_rate`). */
            frame_rate: [
                number,
                number
            ];
            full_range: boolean;
            hdr: components["schemas"]["HdrKind"] | null;
            /** Format: int32 */
            height: number;
            interlaced: boolean;
            /**
             * Format: int32
             * @description Codec level as libav gives it (H.264: 10 × the level).
             */
            level: number | null;
            /** @description Whether the display matrix mirrors the picture. */
            mirrored: boolean;
            pixel_format: string;
            /**
             * Format: int32
             * @description libav's number for the profile, and its name.
             */
            profile: number | null;
            profile_name: string | null;
            /**
             * Format: int32
             * @description Clockwise degrees the picture must be turned for display: 0, 90, 180 or 270.
             */
            rotation: number;
            /** @description Pixel aspect as a fraction. */
            sample_aspect: [
                number,
                number
            ];
            /**
             * Format: int32
             * @description Index of the stream in the container.
             */
            stream: number;
            /** @description Whether frames are shown for different times. */
            variable_frame_rate: boolean;
            /**
             * Format: int32
             * @description Pixels as a viewer sees them: rotation and pixel aspect applied.
             */
            width: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    listFiles: {
        parameters: {
            query?: {
                /**
                 * @description Only files in one of these states.
                 * @example [
                 *       "ready"
                 *     ]
                 */
                state?: ("uploading" | "staged" | "processing" | "ready" | "failed")[];
                /**
                 * @description Only files of one of these kinds.
                 * @example [
                 *       "video"
                 *     ]
                 */
                kind?: ("video" | "audio" | "image" | "other")[];
                /**
                 * @description Only this user's files; `me` is the caller.
                 * @example me
                 */
                owner?: string;
                /**
                 * @description Only files created then or later.
                 * @example 2026-11-30T09:12:44Z
                 */
                created_after?: string;
                /**
                 * @description Only files created before.
                 * @example 2026-11-30T09:12:44Z
                 */
                created_before?: string;
                /**
                 * @description Only files of at least so many bytes.
                 * @example 1000
                 */
                size_min?: number;
                /**
                 * @description Only files of at most so many bytes.
                 * @example 50000000
                 */
                size_max?: number;
                /**
                 * @description Only files with this text in their names, in small or capital letters.
                 * @example harbour
                 */
                q?: string;
                /**
                 * @description Only files that bear all of these tags.
                 * @example [
                 *       "holiday"
                 *     ]
                 */
                tag?: string[];
                /**
                 * @description Only files that end before.
                 * @example 2026-11-30T09:12:44Z
                 */
                expires_before?: string;
                /**
                 * @description What is in the trash: the own files, all of them to admins.
                 * @example false
                 */
                trashed?: boolean;
                /**
                 * @description In this order; with `-` the other way round.
                 * @example -created_at
                 */
                sort?: "created_at" | "-created_at" | "updated_at" | "-updated_at" | "size" | "-size" | "name" | "-name";
                /**
                 * @description As many at most.
                 * @example 50
                 */
                limit?: number;
                /**
                 * @description `next` of the page before, in the same order.
                 * @example LWNyZWF0ZWRfYXQgMDE5M2QyYzgtNWYzYS03YzQxLTlkMmUtNmIxZjBhN2M0ZTU1IDE3NjQ0OTM5NjQwMTc
                 */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "files": [
                     *         {
                     *           "content_type": "video/mp4",
                     *           "created_at": "2026-11-30T09:12:44.017Z",
                     *           "expires_at": null,
                     *           "failure": null,
                     *           "filename": "harbour.mp4",
                     *           "id": "0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55",
                     *           "kind": "video",
                     *           "location": "2026/11/0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55/harbour.mp4",
                     *           "media": {
                     *             "audio": [
                     *               {
                     *                 "bitrate": null,
                     *                 "channel_layout": null,
                     *                 "channels": 2,
                     *                 "codec": "aac",
                     *                 "copyable": false,
                     *                 "default": true,
                     *                 "duration_ms": null,
                     *                 "language": null,
                     *                 "profile": null,
                     *                 "profile_name": null,
                     *                 "sample_rate": 48000,
                     *                 "stream": 1
                     *               }
                     *             ],
                     *             "bitrate": 5074279,
                     *             "chapters": [],
                     *             "container": "mov",
                     *             "duration_ms": 76040,
                     *             "moov_in_front": false,
                     *             "reasons": [
                     *               {
                     *                 "code": "video_codec",
                     *                 "message": "Its pictures are HEVC"
                     *               }
                     *             ],
                     *             "segment_safe": false,
                     *             "subtitles": [],
                     *             "video": {
                     *               "average_frame_rate": [
                     *                 25,
                     *                 1
                     *               ],
                     *               "bit_depth": 8,
                     *               "bitrate": null,
                     *               "chroma": "4:2:0",
                     *               "codec": "hevc",
                     *               "coded_height": 1080,
                     *               "coded_width": 1920,
                     *               "color_primaries": null,
                     *               "color_space": null,
                     *               "color_transfer": null,
                     *               "copyable": false,
                     *               "dolby_vision_profile": null,
                     *               "duration_ms": null,
                     *               "field_order": null,
                     *               "frame_rate": [
                     *                 25,
                     *                 1
                     *               ],
                     *               "full_range": false,
                     *               "hdr": null,
                     *               "height": 1080,
                     *               "interlaced": false,
                     *               "level": null,
                     *               "mirrored": false,
                     *               "pixel_format": "yuv420p",
                     *               "profile": null,
                     *               "profile_name": null,
                     *               "rotation": 0,
                     *               "sample_aspect": [
                     *                 1,
                     *                 1
                     *               ],
                     *               "stream": 0,
                     *               "variable_frame_rate": false,
                     *               "width": 1920
                     *             },
                     *             "warnings": [],
                     *             "web_safe": false
                     *           },
                     *           "metadata": {
                     *             "album": "17"
                     *           },
                     *           "owner_id": "alice",
                     *           "progress": 1,
                     *           "ready_at": "2026-11-30T09:12:58.911Z",
                     *           "renditions": [
                     *             {
                     *               "bitrate": 2210450,
                     *               "codecs": "avc1.64001f,mp4a.40.2",
                     *               "content_type": "video/mp4",
                     *               "height": 720,
                     *               "kind": "video",
                     *               "name": "720p",
                     *               "size_bytes": 21004113,
                     *               "url": "/v1/files/stream/0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55?rendition=720p",
                     *               "width": 1280
                     *             }
                     *           ],
                     *           "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                     *           "size_bytes": 48231004,
                     *           "state": "ready",
                     *           "tags": [
                     *             "holiday"
                     *           ],
                     *           "trashed_at": null,
                     *           "updated_at": "2026-11-30T09:13:20.402Z"
                     *         }
                     *       ],
                     *       "next": null
                     *     }
                     */
                    "application/json": components["schemas"]["FilePage"];
                };
            };
        };
    };
    getFileInfo: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The file, by its `id`.
                 * @example 0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55
                 */
                file_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "content_type": "video/mp4",
                     *       "created_at": "2026-11-30T09:12:44.017Z",
                     *       "expires_at": null,
                     *       "failure": null,
                     *       "filename": "harbour.mp4",
                     *       "id": "0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55",
                     *       "kind": "video",
                     *       "location": "2026/11/0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55/harbour.mp4",
                     *       "media": {
                     *         "audio": [
                     *           {
                     *             "bitrate": null,
                     *             "channel_layout": null,
                     *             "channels": 2,
                     *             "codec": "aac",
                     *             "copyable": false,
                     *             "default": true,
                     *             "duration_ms": null,
                     *             "language": null,
                     *             "profile": null,
                     *             "profile_name": null,
                     *             "sample_rate": 48000,
                     *             "stream": 1
                     *           }
                     *         ],
                     *         "bitrate": 5074279,
                     *         "chapters": [],
                     *         "container": "mov",
                     *         "duration_ms": 76040,
                     *         "moov_in_front": false,
                     *         "reasons": [
                     *           {
                     *             "code": "video_codec",
                     *             "message": "Its pictures are HEVC"
                     *           }
                     *         ],
                     *         "segment_safe": false,
                     *         "subtitles": [],
                     *         "video": {
                     *           "average_frame_rate": [
                     *             25,
                     *             1
                     *           ],
                     *           "bit_depth": 8,
                     *           "bitrate": null,
                     *           "chroma": "4:2:0",
                     *           "codec": "hevc",
                     *           "coded_height": 1080,
                     *           "coded_width": 1920,
                     *           "color_primaries": null,
                     *           "color_space": null,
                     *           "color_transfer": null,
                     *           "copyable": false,
                     *           "dolby_vision_profile": null,
                     *           "duration_ms": null,
                     *           "field_order": null,
                     *           "frame_rate": [
                     *             25,
                     *             1
                     *           ],
                     *           "full_range": false,
                     *           "hdr": null,
                     *           "height": 1080,
                     *           "interlaced": false,
                     *           "level": null,
                     *           "mirrored": false,
                     *           "pixel_format": "yuv420p",
                     *           "profile": null,
                     *           "profile_name": null,
                     *           "rotation": 0,
                     *           "sample_aspect": [
                     *             1,
                     *             1
                     *           ],
                     *           "stream": 0,
                     *           "variable_frame_rate": false,
                     *           "width": 1920
                     *         },
                     *         "warnings": [],
                     *         "web_safe": false
                     *       },
                     *       "metadata": {
                     *         "album": "17"
                     *       },
                     *       "owner_id": "alice",
                     *       "progress": 1,
                     *       "ready_at": "2026-11-30T09:12:58.911Z",
                     *       "renditions": [
                     *         {
                     *           "bitrate": 2210450,
                     *           "codecs": "avc1.64001f,mp4a.40.2",
                     *           "content_type": "video/mp4",
                     *           "height": 720,
                     *           "kind": "video",
                     *           "name": "720p",
                     *           "size_bytes": 21004113,
                     *           "url": "/v1/files/stream/0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55?rendition=720p",
                     *           "width": 1280
                     *         }
                     *       ],
                     *       "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                     *       "size_bytes": 48231004,
                     *       "state": "ready",
                     *       "tags": [
                     *         "holiday"
                     *       ],
                     *       "trashed_at": null,
                     *       "updated_at": "2026-11-30T09:13:20.402Z"
                     *     }
                     */
                    "application/json": components["schemas"]["File"];
                };
            };
        };
    };
    getFileCost: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The file, by its `id`.
                 * @example 0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55
                 */
                file_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description That. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "earned_worker_ms": 40100,
                     *       "renditions": [
                     *         {
                     *           "bytes": 36770113,
                     *           "earned": true,
                     *           "kind": "video",
                     *           "last_used_at": "2026-11-30T14:00:03.120Z",
                     *           "name": "1080p"
                     *         },
                     *         {
                     *           "bytes": 7001000,
                     *           "earned": false,
                     *           "kind": "video",
                     *           "last_used_at": null,
                     *           "name": "360p"
                     *         }
                     *       ],
                     *       "source_bytes": 48231004,
                     *       "stored_bytes": 92002117,
                     *       "views": {
                     *         "total": 12,
                     *         "window": 4,
                     *         "window_ms": 2592000000
                     *       },
                     *       "worker_ms": 61200
                     *     }
                     */
                    "application/json": components["schemas"]["FileCost"];
                };
            };
        };
    };
    mintStreamToken: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description Narrows the token; without it, it plays every file of the organisation. */
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "file_ids": [
                 *         "0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55"
                 *       ],
                 *       "scope": [
                 *         "play",
                 *         "image"
                 *       ]
                 *     }
                 */
                "application/json": components["schemas"]["StreamTokenWish"];
            };
        };
        responses: {
            /** @description The token. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "expires_at": "2026-11-30T09:17:44.017Z",
                     *       "expires_in": 300,
                     *       "token": "v1.k1.eyJqIjoi.c2lnbmF0dXJl",
                     *       "token_type": "bearer"
                     *     }
                     */
                    "application/json": components["schemas"]["StreamToken"];
                };
            };
        };
    };
}
