/** Options of pictures: the size of an image, its format, and the part of the screen. */
import { create } from "@bufbuild/protobuf";
import { invalid } from "./errors.js";
import { Frame, type Rect } from "./frame.js";
import * as capture from "./v1/capture_pb.js";
import * as pb from "./v1/frame_pb.js";
import { type Check, checkOptions, flag, later, pixel, shown, whole } from "./values.js";

/** Width and height in pixels. */
export type Size = readonly [width: number, height: number];

/** The encoding of an image. `raw` is rows of blue, green, red, 255. */
export type Format = "png" | "jpeg" | "jpg" | "webp" | "raw";

/**
 * A coordinate space: a frame or its id, the size of an image of the whole screen, or null for
 * pixels of the screen.
 */
export type Space = Frame | string | Size | null;

const FORMATS: Readonly<Record<Format, pb.ImageFormat>> = {
  png: pb.ImageFormat.PNG,
  jpeg: pb.ImageFormat.JPEG,
  jpg: pb.ImageFormat.JPEG,
  webp: pb.ImageFormat.WEBP,
  raw: pb.ImageFormat.RAW_BGRX,
};

/** Limits from which the daemon computes the size of an image; the shape is kept. */
export interface Fit {
  /** Maximum length of the longer side, in pixels. */
  readonly maxSide?: number;
  /** Maximum number of pixels. */
  readonly maxPixels?: number;
  /** Side of a square tile in pixels; with `maxTiles`. */
  readonly tile?: number;
  /** Maximum number of tiles that cover the image. */
  readonly maxTiles?: number;
  /** Number of pixels of which both sides are multiples. */
  readonly multipleOf?: number;
  /** Whether the image may be larger than the region that it shows. */
  readonly mayEnlarge?: boolean;
}

/**
 * The limits of Anthropic's current models. With more than 20 images in a request, use
 * `{ maxSide: 2000, tile: 28, maxTiles: 4784 }`.
 */
export const ANTHROPIC: Fit = { maxSide: 2576, tile: 28, maxTiles: 4784 };
/** The limits up to which Anthropic's models before the toolset do not scale an image. */
export const ANTHROPIC_OLDER: Fit = { maxSide: 1568, maxPixels: 1_150_000 };
/** The limits of OpenAI's `computer` tool with the detail `original`. */
export const OPENAI: Fit = { maxPixels: 10_240_000, tile: 32, maxTiles: 30_000 };

const FIT: Readonly<Record<keyof Fit, Check>> = {
  maxSide: later,
  maxPixels: later,
  tile: later,
  maxTiles: later,
  multipleOf: later,
  mayEnlarge: flag,
};

/** A rectangle in pixels. */
export type Region = Rect | readonly [x: number, y: number, width: number, height: number];

/** The picture to take. Every field has the daemon's default if it is not given. */
export interface Picture {
  /** Width and height of the image; the region is stretched to it. */
  readonly size?: Size;
  /** Limits of the image's size; its shape is kept. Not together with `size`. */
  readonly fit?: Fit;
  /** The part to show, in pixels of `space`. */
  readonly region?: Region;
  /** The encoding. Default: png. */
  readonly format?: Format;
  /** 1 to 100, for `jpeg`. */
  readonly quality?: number;
  /** Whether the pointer is drawn. Default: true. */
  readonly cursor?: boolean;
  /** Maximum size of the image in bytes. A larger one becomes a failure card. */
  readonly maxBytes?: number;
  /** The coordinate space of `region`. Default: the screen. */
  readonly space?: Space;
}

/** The checks of the fields of `Picture`. */
export const PICTURE_FIELDS: Readonly<Record<keyof Picture, Check>> = {
  size: later,
  fit: later,
  region: later,
  format: later,
  quality: later,
  cursor: flag,
  maxBytes: later,
  space: later,
};

/** Returns the protobuf `CoordinateSpace`, or undefined for the screen. */
export function coordinateSpace(of: Space | undefined): pb.CoordinateSpace | undefined {
  if (of === undefined || of === null) return undefined;
  const id = of instanceof Frame ? of.frameId : of;
  if (typeof id !== "string" && !Array.isArray(id)) {
    throw invalid(`space is ${shown(of)}; give a frame, its id, [width, height] or null`);
  }
  return create(pb.CoordinateSpaceSchema, {
    space:
      typeof id === "string"
        ? { case: "frameId", value: id }
        : { case: "size", value: sizeOf(id as Size) },
  });
}

/** Returns the protobuf `Size` of a pair. */
export function sizeOf(of: Size): pb.Size {
  if (!Array.isArray(of) || of.length !== 2) {
    throw invalid(`size is ${shown(of)}; give [width, height]`);
  }
  const width = pixel(of[0], "width");
  const height = pixel(of[1], "height");
  if (width < 1 || height < 1) {
    throw invalid(`size is ${width}x${height}; each side has at least 1 pixel`);
  }
  return create(pb.SizeSchema, { width, height });
}

/**
 * Returns the protobuf `CaptureOptions` of a picture.
 *
 * Throws `InvalidRequest` if fields contradict each other or have wrong values.
 */
export function captureOptions(picture: Picture): capture.CaptureOptions {
  checkOptions(picture, PICTURE_FIELDS, "option of pictures");
  const { size, fit, format, region } = picture;
  if (format !== undefined && !(typeof format === "string" && Object.hasOwn(FORMATS, format))) {
    throw invalid(`format is ${shown(format)}; choose png, jpeg, webp or raw`);
  }
  if (size !== undefined && fit !== undefined) {
    throw invalid("size and fit exclude each other; give one of them");
  }
  return create(capture.CaptureOptionsSchema, {
    format: format === undefined ? undefined : FORMATS[format],
    quality: whole(picture.quality, "quality"),
    includeCursor: picture.cursor,
    maxImageBytes: big(picture.maxBytes, "maxBytes"),
    coordinateSpace: coordinateSpace(picture.space),
    region: region === undefined ? undefined : regionOf(region),
    scale: scaleOf(size, fit),
  });
}

function scaleOf(size: Size | undefined, fit: Fit | undefined) {
  if (size !== undefined) return { case: "size", value: sizeOf(size) } as const;
  return fit === undefined ? undefined : ({ case: "fit", value: fitOf(fit) } as const);
}

function fitOf(fit: Fit): capture.Fit {
  checkOptions(fit, FIT, "limit of images");
  const hasTiles = fit.tile !== undefined || fit.maxTiles !== undefined;
  return create(capture.FitSchema, {
    maxSide: whole(fit.maxSide, "maxSide"),
    maxPixels: big(fit.maxPixels, "maxPixels"),
    multipleOf: whole(fit.multipleOf, "multipleOf"),
    mayEnlarge: fit.mayEnlarge,
    tiles: hasTiles
      ? { size: whole(fit.tile, "tile"), maxCount: whole(fit.maxTiles, "maxTiles") }
      : undefined,
  });
}

/** Returns the protobuf `Region`. Throws `InvalidRequest` for a wrong rectangle. */
export function regionOf(of: Region): pb.Region {
  const isRect = typeof of === "object" && of !== null && "x" in of;
  const list: unknown = isRect ? [of.x, of.y, of.width, of.height] : of;
  if (!Array.isArray(list) || list.length !== 4) {
    throw invalid(`region is ${shown(of)}; give [x, y, width, height]`);
  }
  const x = pixel(list[0], "x");
  const y = pixel(list[1], "y");
  const width = pixel(list[2], "width");
  const height = pixel(list[3], "height");
  if (width < 1 || height < 1) {
    throw invalid(`region ${x},${y} ${width}x${height} is empty; give at least 1x1 pixels`);
  }
  return create(pb.RegionSchema, { x, y, width, height });
}

function big(value: number | undefined, name: string): bigint | undefined {
  if (value === undefined) return undefined;
  if (!Number.isSafeInteger(value) || value < 0) {
    throw invalid(`${name} is ${shown(value)}; give a whole number, at least 0`);
  }
  return BigInt(value);
}
