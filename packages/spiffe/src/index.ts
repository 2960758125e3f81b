export type { CertificateSource } from "@heddle/core";
export { Authority, type AuthorityOptions, type IssuedSvid, newKeyPair, type SvidOrder } from "./authority.ts";
export { type AuthorityFolder, authorityFolder, createAuthorityFolder, readAuthorityFolder } from "./authority-folder.ts";
export { type KeyPair, readCertificateRequest, writeCertificateRequest } from "./certificate-request.ts";
export {
  DEV_DIR,
  DEV_ROOT_LIFETIME_MS,
  DEV_TRUST_DOMAIN,
  type DevIdentityOptions,
  type DevSurroundings,
  devIdentity,
} from "./dev-identity.ts";
export { writePem } from "./pem.ts";
export { type WorkloadApiOptions, workloadApi } from "./workload-api.ts";
export {
  type CertificateContent,
  type CertificateSigner,
  distinguishedName,
  type ExtendedKeyUsage,
  type KeyUsage,
  writeCertificate,
} from "./write-certificate.ts";
