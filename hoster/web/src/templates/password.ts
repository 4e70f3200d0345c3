const CHARACTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
const LENGTH = 24;

/** A random password without characters that look alike; every character is equally likely. */
export function newPassword(): string {
  const fair = 256 - (256 % CHARACTERS.length);
  let password = "";
  while (password.length < LENGTH) {
    for (const octet of crypto.getRandomValues(new Uint8Array(LENGTH))) {
      if (octet < fair && password.length < LENGTH) password += CHARACTERS[octet % CHARACTERS.length];
    }
  }
  return password;
}
