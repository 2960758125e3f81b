export { type IssueOptions, type ReplaceRootOptions, TestAuthority, type TestAuthorityOptions, testAuthority } from "./test-authority.ts";
export { TestCertificate } from "./test-certificate.ts";
export { TestCertificateSource } from "./test-certificate-source.ts";
export { WRONG_CERTIFICATES, type WrongCertificate } from "./wrong-certificates.ts";
