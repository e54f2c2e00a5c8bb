/** Parts that the kinds of `autoscaling.grove.io` share. */
export const AUTOSCALING_GROUP = "autoscaling.grove.io";
export const AUTOSCALING_VERSION = "v1alpha1";
