/** Where development tools say what they do; a `pino` logger is one. */
export interface DevelopmentLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}
