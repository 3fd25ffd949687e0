/** What roles are called. */
import type { Role } from "../api/http";

export const ROLES: Readonly<Record<Role, string>> = { owner: "Owner", admin: "Admin", member: "Member", observer: "Observer" };
