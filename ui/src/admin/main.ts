/** Starts the operator's pages. They are a page of their own, with a session of their own, and share no state with people's. */
import "./admin-app";
import "./audit-page";
import "./cell-page";
import "./cells-page";
import "./health-page";
import "./overview-page";
import "./people-page";
import "./sign-in-page";
import "./tenant-page";
import "./tenants-page";
import "./waiting-page";
import { watchPresence } from "../app/presence";
import { followLinks } from "./address";

followLinks();
watchPresence();
