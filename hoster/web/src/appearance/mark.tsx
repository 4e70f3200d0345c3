import address from "./mark.svg";

export function Mark() {
  return <img class="mark" src={address} alt="" width="28" height="28" />;
}
