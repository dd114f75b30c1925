/** A picture to be made in a worker. */
export interface RenderRequest {
  /** A Vega-Lite 6 specification, of our making. */
  readonly spec: Readonly<Record<string, unknown>>;
  readonly title: string;
  readonly description: string;
  readonly format: "png" | "svg";
  /** Largest number of pixels for one of the drawing's; less where the file would be too large. */
  readonly scale: number;
  readonly maxBytes: number;
}

/** A picture; sizes in px at scale 1. */
export type Picture =
  | { readonly format: "svg"; readonly svg: string; readonly width: number; readonly height: number }
  | { readonly format: "png"; readonly png: Uint8Array; readonly width: number; readonly height: number; readonly scale: number };

/** Why a worker gave no picture: it would be larger than allowed at any scale. */
export const TOO_LARGE = "picture too large";
