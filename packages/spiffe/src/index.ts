export type { CertificateSource } from "@heddle/core";
